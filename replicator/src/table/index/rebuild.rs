//! Makes the key run of a data file again from the file's key columns, as a stream: so much of the hashes is held at a
//! time as the bound allows, and the columns are read once for each such part.

use std::ops::Range;

use arrow_array::RecordBatch;
use futures::{StreamExt, pin_mut};
use tokio::sync::Semaphore;

use super::format::Layout;
use super::{IndexDirectory, IndexError, KeyRun};
use crate::change::KeyHash;
use crate::table::TableError;
use crate::table::context::StoredFile;

/// KiB of hashes that one run holds at a time, at most.
const HELD_KIB: usize = 64 << 10;
/// KiB that all runs of all tables hold together.
static ROOM: Semaphore = Semaphore::const_new(2 * HELD_KIB);

/// Runs of more rows are sorted on a thread of their own, so that files are made on all cores.
const LARGE: usize = 64 << 10;

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
    for first in (0..layout.segments()).step_by(at_once) {
        let segments = at_once.min(layout.segments() - first);
        let entries = read(file, &hashes, layout, first..first + segments).await?;
        builder = beside(entries.len(), move || builder.push(entries, segments).map(|()| builder)).await?;
    }
    let parts = beside(file.rows as usize, move || builder.finish()).await?;
    Ok(KeyRun::of_parts(layout, parts))
}

/// The hashes of `segments`, with their rows; all others pass.
async fn read(
    file: &StoredFile<'_>,
    hashes: impl Fn(&RecordBatch) -> Result<Vec<KeyHash>, TableError>,
    layout: Layout,
    segments: Range<usize>,
) -> Result<Vec<(KeyHash, u32)>, TableError> {
    let share = file.rows as usize / layout.segments() * segments.len();
    let mut entries = Vec::with_capacity(share + share / 16);
    let batches = file.key_columns().await?;
    pin_mut!(batches);
    let mut row = 0_u32;
    while let Some(batch) = batches.next().await {
        for hash in hashes(&batch?)? {
            if segments.contains(&layout.segment(hash)) {
                entries.push((hash, row));
            }
            row += 1;
        }
    }
    if u64::from(row) == file.rows { Ok(entries) } else { Err(file.other_rows(u64::from(row))) }
}

/// Runs what many rows make long on a thread of its own.
async fn beside<T: Send + 'static>(
    rows: usize,
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, TableError> {
    if rows < LARGE {
        return Ok(work()?);
    }
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| TableError::Internal(error.to_string()))??)
}

impl From<IndexError> for TableError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}
