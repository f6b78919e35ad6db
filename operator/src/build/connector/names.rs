//! Names inside the source database: slot, publication, tables.

use tributary_crds::{CdcReplication, TableSpec, topic};

/// Postgres cuts longer identifiers off.
const MAX_IDENTIFIER: usize = 63;

/// Name of the replication slot: lower-case letters, digits and `_`, at most 63, and different for different resources.
///
/// A slot belongs to the whole server, so it carries the namespace; and `a-b` must differ from `a_b`, so a hash follows.
pub fn slot(resource: &CdcReplication) -> String {
    identifier(&topic::prefix(resource))
}

/// Name of the publication; the same as the slot's, since both come and go together.
pub fn publication(resource: &CdcReplication) -> String {
    identifier(&topic::prefix(resource))
}

fn identifier(prefix: &str) -> String {
    let readable: String = prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let hash = fnv1a(prefix.as_bytes());
    let head = "tributary_";
    let room = MAX_IDENTIFIER - head.len() - 9;
    let readable = readable.to_ascii_lowercase();
    format!("{head}{}_{hash:08x}", &readable[..readable.len().min(room)])
}

/// FNV-1a, 32 bits: short, and the same for ever, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Debezium's list of regular expressions, matched against all of `schema.table`.
pub(crate) fn include_list<'a>(tables: impl IntoIterator<Item = &'a TableSpec>) -> String {
    tables.into_iter().map(|table| escaped(&table.name)).collect::<Vec<_>>().join(",")
}

/// The name as a regular expression that matches just it; Debezium splits the list at commas that have no backslash
/// before them.
pub(crate) fn escaped(name: &str) -> String {
    let special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && c != ' ';
    let mut pattern = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if special(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
