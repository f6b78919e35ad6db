//! Finds the live rows of many keys at once.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use futures::future::try_join_all;

use crate::change::KeyHash;
use crate::table::TableError;
use crate::table::context::Context;
use crate::table::data_file::{DataFiles, RowLocation};

/// Fewer keys than this are not worth another thread.
const FEWEST: usize = 1000;

/// Where the live row of each key is; on all cores, each with a share of the keys.
pub(in crate::table) async fn locate(
    context: &Context,
    files: &DataFiles,
    keys: &[KeyHash],
) -> Result<Vec<Option<RowLocation>>, TableError> {
    let mut sorted: Vec<(KeyHash, u32)> = keys.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let files = Arc::new(files.clone());
    let cores = available_parallelism().map_or(1, NonZero::get);
    let shares = sorted.chunks(keys.len().div_ceil(cores).max(FEWEST)).map(|share| {
        let files = Arc::clone(&files);
        let hashes = share.iter().map(|(hash, _)| *hash).collect();
        context.blocking(move |_| locate_sorted(&files, hashes))
    });
    let shares = try_join_all(shares).await?;
    let mut located = vec![None; keys.len()];
    for ((_, number), location) in sorted.iter().zip(shares.into_iter().flatten()) {
        located[*number as usize] = location;
    }
    Ok(located)
}

/// The same for keys that ascend. The newest file is asked first: what changes again is mostly what changed lately.
fn locate_sorted(files: &DataFiles, hashes: Vec<KeyHash>) -> Result<Vec<Option<RowLocation>>, TableError> {
    let mut located = vec![None; hashes.len()];
    let mut missing: Vec<(KeyHash, u32)> = hashes.into_iter().zip(0..).collect();
    for (id, file) in files.newest_first() {
        if missing.is_empty() {
            break;
        }
        let mut any = false;
        let deleted = file.deleted.bitmaps().find(|(high, _)| *high == 0).map(|(_, deleted)| deleted);
        file.keys.look_up(&missing, |number, row| {
            if deleted.is_none_or(|deleted| !deleted.contains(row)) {
                located[number as usize] = Some(RowLocation { file: id, row });
                any = true;
            }
        })?;
        if any {
            missing.retain(|(_, number)| located[*number as usize].is_none());
        }
    }
    Ok(located)
}
