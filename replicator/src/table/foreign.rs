//! Whether a commit of somebody else does what it says.

use super::TableError;
use super::context::Context;
use super::log::{Add, DeletionVector, Entry};
use super::state;

/// A file that is live before the commit.
pub(super) struct LiveFile<'a> {
    pub vector: Option<&'a DeletionVector>,
    /// Rows that are not deleted.
    pub rows: u64,
}

/// A commit that says that it only moves rows does so: what it removes is there, as it was removed, and it adds as many
/// rows. delta-rs lets a compaction land although one of ours came first (its conflict checker overlooks removals that
/// change no data); then rows would be there twice.
pub(super) async fn keeps_rows<'a>(
    context: &Context,
    entry: &Entry,
    live: impl Fn(&str) -> Option<LiveFile<'a>>,
) -> Result<bool, TableError> {
    let Some(removed) = removed_rows(entry, live) else { return Ok(false) };
    let mut added = 0;
    for add in &entry.adds {
        added += live_rows(context, add).await?;
    }
    Ok(added == removed)
}

/// Rows of the files that go, or are put again; `None` when something is removed that is not there as it was removed.
fn removed_rows<'a>(entry: &Entry, live: impl Fn(&str) -> Option<LiveFile<'a>>) -> Option<u64> {
    let mut rows = 0;
    for remove in &entry.removes {
        let file = live(&remove.path).filter(|file| file.vector == remove.deletion_vector.as_ref())?;
        rows += file.rows;
    }
    let is_removed = |add: &&Add| entry.removes.iter().any(|remove| remove.path == add.path);
    let put_again = entry.adds.iter().filter(|add| !is_removed(add)).filter_map(|add| live(&add.path));
    Some(rows + put_again.map(|file| file.rows).sum::<u64>())
}

/// Rows of a file that are not deleted, by the log or else by the file itself.
pub(super) async fn live_rows(context: &Context, add: &Add) -> Result<u64, TableError> {
    let deleted = add.deletion_vector.as_ref().map_or(0, |vector| vector.cardinality);
    Ok(state::rows(context, add).await?.saturating_sub(u64::try_from(deleted).unwrap_or(0)))
}
