//! All changes of a table, as the server itself decodes them.

use std::collections::BTreeMap;

use tokio_postgres::types::PgLsn;

use super::super::Source;

/// What keys have as their value.
pub(super) type Rows = BTreeMap<i64, i64>;

/// The transactions in the order of their commits, each with its number and where it committed.
const DECODED: &str = "SELECT xid::text::bigint, max(lsn) OVER (PARTITION BY xid::text), data
    FROM pg_logical_slot_get_changes('truth', NULL, NULL, 'include-xids', 'true')
    WITH ORDINALITY AS change (lsn, xid, data, number) ORDER BY number";

/// What became of one key. A key that changes is two of them, as in the events of a connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) transaction: u32,
    /// Where the server's log was after its commit.
    pub(super) committed: PgLsn,
    pub(super) id: i64,
    /// There was a row with the key.
    existed: bool,
    value: Option<i64>,
}

impl Change {
    /// All that the slot has.
    pub(super) async fn all(source: &Source) -> Vec<Self> {
        let decoded = source.admin.query(DECODED, &[]).await.unwrap();
        let changes = decoded.iter().flat_map(|row| {
            let transaction: i64 = row.get(0);
            parse(row.get(2)).into_iter().map(move |(id, existed, value)| Self {
                transaction: transaction as u32,
                committed: row.get(1),
                id,
                existed,
                value,
            })
        });
        changes.collect()
    }

    /// Does it to rows, which must be such that it could be done to them.
    pub(super) fn apply(&self, rows: &mut Rows) {
        assert_eq!(rows.contains_key(&self.id), self.existed, "{self:?} meets other rows than it changed");
        match self.value {
            Some(value) => rows.insert(self.id, value),
            None => rows.remove(&self.id),
        };
    }
}

/// Reads `table public.items: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 n[bigint]:3`.
fn parse(data: &str) -> Vec<(i64, bool, Option<i64>)> {
    let Some((kind, row)) = data.strip_prefix("table public.items: ").and_then(|change| change.split_once(": ")) else {
        return Vec::new();
    };
    let number = |word: &str| word.rsplit_once(':')?.1.parse().ok();
    let numbers: Vec<i64> = row.split_whitespace().filter_map(number).collect();
    match (kind, numbers.as_slice()) {
        ("INSERT", &[id, n]) => vec![(id, false, Some(n))],
        ("UPDATE", &[id, n]) => vec![(id, true, Some(n))],
        ("UPDATE", &[old, id, n]) => vec![(old, true, None), (id, false, Some(n))],
        ("DELETE", &[id]) => vec![(id, true, None)],
        _ => panic!("unknown change: {data}"),
    }
}
