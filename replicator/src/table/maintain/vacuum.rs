//! Files that no version of the history needs leave the storage: those that were removed from the table before it, and
//! those that no commit ever named.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::tombstones;
use crate::table::context::Context;
use crate::table::data_file::DataFiles;
use crate::table::log::Add;
use crate::table::{TableError, deletion_vector, shadow};

/// The beginning of the history, milliseconds since the epoch.
pub(super) fn cutoff(context: &Context, now: Timestamp) -> i64 {
    let history = i64::try_from(context.spec.maintenance.history.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_sub(history)
}

/// Removes what was written before the history and is neither in the table at `version`, whose files are `files`, nor in
/// a version of the history. How many objects. A data file of the table that is not there is an error: then nothing is removed.
pub(in crate::table) async fn run(
    context: &Context,
    now: Timestamp,
    version: u64,
    files: &DataFiles,
) -> Result<usize, TableError> {
    let cutoff = cutoff(context, now);
    // What was in the table briefly has no tombstone: all of that time, it may have been in the table.
    let written_before = cutoff.saturating_sub(context.spec.maintenance.brief_ms());
    let mut needed: HashSet<String> = tombstones::since(context, version, cutoff).await?;
    for (_, file) in files.iter() {
        needed.extend(objects(&file.add));
    }
    needed.extend(newer(context, version).await?);
    // What is copied to take the place of the rows is in no version yet.
    let shadow = shadow::folder(context).await?.map(Path::from);
    let mut missing: HashSet<&str> = files.iter().map(|(_, file)| file.add.path.as_str()).collect();
    let mut unneeded = Vec::new();
    let mut listed = context.store.list(None);
    while let Some(found) = listed.try_next().await.map_err(context.storage("list"))? {
        missing.remove(found.location.as_ref());
        let goes =
            is_ours(&found.location) && is_before(&found, written_before) && !needed.contains(found.location.as_ref());
        if goes && shadow.as_ref().is_none_or(|shadow| !found.location.prefix_matches(shadow)) {
            unneeded.push(Ok(found.location));
        }
    }
    refuse_missing(context, version, missing).await?;
    let removed = context.store.delete_stream(futures::stream::iter(unneeded).boxed());
    let removed: Vec<_> = removed.try_collect().await.map_err(context.storage("vacuum"))?;
    Ok(removed.len())
}

/// A file of the table at `version` that was not listed after that may have left it meanwhile; else somebody has removed it.
async fn refuse_missing(context: &Context, version: u64, missing: HashSet<&str>) -> Result<(), TableError> {
    for path in missing {
        let Err(error) = context.refuse_missing(path).await else { continue };
        // Asked after it was found missing: who removed it from the table by right has said so in the log before.
        if !newer(context, version).await?.contains(path) {
            return Err(error);
        }
    }
    Ok(())
}

/// Objects of commits that somebody made since `version` and that were not taken in yet: the table has them, or a version
/// of the history does.
async fn newer(context: &Context, version: u64) -> Result<HashSet<String>, TableError> {
    let mut objects_of_newer = HashSet::new();
    for version in version + 1.. {
        let entry = context.log.read(version).await.map_err(context.storage("read the log of"))?;
        let Some(entry) = entry else { break };
        objects_of_newer.extend(entry.adds.iter().flat_map(objects));
        let removed = entry.removes.into_iter().map(|remove| Add {
            path: remove.path,
            deletion_vector: remove.deletion_vector,
            ..Add::default()
        });
        objects_of_newer.extend(removed.flat_map(|add| objects(&add).collect::<Vec<_>>()));
    }
    Ok(objects_of_newer)
}

/// Objects that a data file consists of.
fn objects(add: &Add) -> impl Iterator<Item = String> {
    let vector = add.deletion_vector.as_ref();
    let vector = vector.and_then(|vector| deletion_vector::path(&vector.storage_type, &vector.path_or_inline_dv));
    std::iter::once(add.path.clone()).chain(vector)
}

fn is_before(found: &ObjectMeta, cutoff: i64) -> bool {
    found.last_modified.timestamp_millis() < cutoff
}

/// Data files and deletion vectors outside of hidden folders, and logs of shadows; everything else is somebody else's.
fn is_ours(path: &Path) -> bool {
    let is_hidden = path.parts().any(|part| {
        let part = part.as_ref();
        part.starts_with('.') || (part.starts_with('_') && !part.contains('='))
    });
    let extension = path.extension();
    shadow::is_log(path) || (!is_hidden && matches!(extension, Some("parquet" | "bin")))
}
