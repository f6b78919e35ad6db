//! Whether a commit of somebody else does what it says.

use super::log::{Add, DeletionVector, Entry};

/// A file that is live before the commit.
pub(super) struct LiveFile<'a> {
    pub vector: Option<&'a DeletionVector>,
    /// Rows that are not deleted; `None` when the log does not say.
    pub rows: Option<u64>,
}

/// A commit that says that it only moves rows does so: what it removes is there, as it was removed, and it adds as many
/// rows. delta-rs lets a compaction land although one of ours came first (its conflict checker overlooks removals that
/// change no data); then rows would be there twice.
pub(super) fn keeps_rows<'a>(entry: &Entry, live: impl Fn(&str) -> Option<LiveFile<'a>>) -> bool {
    let mut removed = Vec::new();
    for remove in &entry.removes {
        match live(&remove.path) {
            Some(file) if file.vector == remove.deletion_vector.as_ref() => removed.push(file.rows),
            _ => return false,
        }
    }
    let is_removed = |path: &str| entry.removes.iter().any(|remove| remove.path == path);
    let replaced = entry.adds.iter().filter(|add| !is_removed(&add.path)).filter_map(|add| live(&add.path));
    removed.extend(replaced.map(|file| file.rows));
    let (removed, added): (Option<u64>, Option<u64>) =
        (removed.into_iter().sum(), entry.adds.iter().map(live_rows).sum());
    // Without statistics it cannot be told.
    removed.is_none() || added.is_none() || removed == added
}

/// Rows of a file that are not deleted, by the log.
pub(super) fn live_rows(add: &Add) -> Option<u64> {
    let deleted = add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
    num_records(add)?.checked_sub(u64::try_from(deleted).ok()?)
}

/// Rows of a file, by the log.
pub(super) fn num_records(add: &Add) -> Option<u64> {
    let stats = serde_json::from_str::<serde_json::Value>(add.stats.as_deref()?).ok()?;
    stats.get("numRecords")?.as_u64()
}
