//! Makes the key run of a data file again from the file's key columns, as a stream: so much of the hashes is held at a
//! time as the bound allows, and the columns are read once for each such part.

use arrow_array::RecordBatch;
use futures::{StreamExt, pin_mut};
use tokio::sync::Semaphore;

use super::{IndexDirectory, IndexError, KeyRun};
use crate::change::KeyHash;
use crate::table::TableError;
use crate::table::context::StoredFile;

/// KiB of hashes that one run holds at a time, at most.
const HELD_KIB: usize = 64 << 10;
/// KiB that all runs of all tables hold together.
static ROOM: Semaphore = Semaphore::const_new(2 * HELD_KIB);

/// The run of `file`, read through `file`'s key columns and `hashes`.
pub(in crate::table) async fn rebuild(
    directory: &IndexDirectory,
    file: &StoredFile<'_>,
    hashes: impl Fn(&RecordBatch) -> Result<Vec<KeyHash>, TableError>,
) -> Result<KeyRun, TableError> {
    let (layout, mut builder) = directory.builder(file.path(), file.rows)?;
    let per_segment = file.rows as usize / layout.segments() * size_of::<(KeyHash, u32)>();
    let at_once = ((HELD_KIB << 10) / per_segment.max(1)).clamp(1, layout.segments());
    let held = (at_once * per_segment).div_ceil(1 << 10).clamp(1, HELD_KIB);
    let _room = ROOM.acquire_many(held as u32).await;
    let mut first = 0;
    while first < layout.segments() {
        let segments = at_once.min(layout.segments() - first);
        let wanted = first..first + segments;
        let mut entries = Vec::new();
        let batches = file.key_columns().await?;
        pin_mut!(batches);
        let mut row = 0_u32;
        while let Some(batch) = batches.next().await {
            for hash in hashes(&batch?)? {
                if wanted.contains(&layout.segment(hash)) {
                    entries.push((hash, row));
                }
                row += 1;
            }
        }
        if u64::from(row) != file.rows {
            return Err(file.other_rows(u64::from(row)));
        }
        builder.push(entries, segments)?;
        first += segments;
    }
    Ok(KeyRun::of_parts(layout, builder.finish()?))
}

impl From<IndexError> for TableError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}
