//! Versions of the log that no reader of the history needs leave it.

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::table::TableError;
use crate::table::context::Context;
use crate::table::log::FOLDER;

/// Removes what is older than the history and is not needed to read a version of it. How many objects.
pub(super) async fn run(context: &Context, now: Timestamp) -> Result<usize, TableError> {
    let cutoff = super::vacuum::cutoff(context, now);
    let listed = context.store.list(Some(&Path::from(FOLDER)));
    let listed: Vec<LogFile> = listed
        .try_filter_map(|found| async move { Ok(LogFile::of(&found)) })
        .try_collect()
        .await
        .map_err(context.storage("list the log of"))?;
    let unneeded: Vec<_> = unneeded(&listed, cutoff).map(|file| Ok(file.path.clone())).collect();
    let removed = context.store.delete_stream(futures::stream::iter(unneeded).boxed());
    let removed: Vec<_> = removed.try_collect().await.map_err(context.storage("clean the log of"))?;
    Ok(removed.len())
}

/// A file of the log.
#[derive(Clone, Debug)]
struct LogFile {
    path: Path,
    version: u64,
    kind: Kind,
    written: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Commit,
    /// A whole checkpoint in one file.
    Checkpoint,
    /// Checksums, compacted logs, parts of checkpoints.
    Other,
}

impl LogFile {
    /// `None` for what is no part of a version, such as `_last_checkpoint`.
    fn of(found: &ObjectMeta) -> Option<Self> {
        let name = found.location.filename()?;
        let (version, rest) = name.split_once('.')?;
        let version = version.parse().ok().filter(|_| version.len() == 20)?;
        let kind = match rest {
            "json" => Kind::Commit,
            "checkpoint.parquet" => Kind::Checkpoint,
            _ => Kind::Other,
        };
        let written = found.last_modified.timestamp_millis();
        Some(Self { path: found.location.clone(), version, kind, written })
    }
}

/// What can go: everything before the newest checkpoint that every version of the history can be read from. The oldest
/// of these versions is the last one that was written before `cutoff` (milliseconds): it was the table at that time.
fn unneeded(listed: &[LogFile], cutoff: i64) -> impl Iterator<Item = &LogFile> {
    let commits = || listed.iter().filter(|file| file.kind == Kind::Commit);
    let oldest = commits().filter(|file| file.written < cutoff).map(|file| file.version).max();
    let checkpoints = listed.iter().filter(|file| file.kind == Kind::Checkpoint).map(|file| file.version);
    let first = oldest.and_then(|oldest| checkpoints.filter(|version| *version <= oldest).max());
    listed.iter().filter(move |file| first.is_some_and(|first| file.version < first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version n was written at n minutes.
    fn file(version: u64, kind: Kind) -> LogFile {
        LogFile { path: Path::from(format!("{version}")), version, kind, written: version as i64 }
    }

    fn log(checkpoints: &[u64]) -> Vec<LogFile> {
        let commits = (0..10).map(|version| file(version, Kind::Commit));
        commits.chain(checkpoints.iter().map(|version| file(*version, Kind::Checkpoint))).collect()
    }

    fn versions(listed: &[LogFile], cutoff: i64) -> Vec<u64> {
        unneeded(listed, cutoff).map(|file| file.version).collect()
    }

    #[test]
    fn the_version_that_was_the_table_at_the_cutoff_stays_readable() {
        assert_eq!(versions(&log(&[3, 6]), 6), [0, 1, 2], "version 5 was the table then: it needs the checkpoint of 3");
        assert_eq!(versions(&log(&[3, 6]), 7), [0, 1, 2, 3, 4, 5, 3]);
    }

    #[test]
    fn without_a_checkpoint_nothing_goes() {
        assert!(versions(&log(&[]), 9).is_empty());
        assert!(versions(&log(&[8]), 5).is_empty(), "the checkpoint is younger than the cutoff");
    }
}
