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

/// Where the live row of each key is; on all cores, each with a share of the keys. They come in ascending order.
pub(in crate::table) async fn locate(
    context: &Context,
    files: &DataFiles,
    keys: &[KeyHash],
) -> Result<Vec<Option<RowLocation>>, TableError> {
    let files = Arc::new(files.clone());
    let cores = available_parallelism().map_or(1, NonZero::get);
    let shares = keys.chunks(keys.len().div_ceil(cores).max(FEWEST)).map(|share| {
        let (files, share) = (Arc::clone(&files), share.to_vec());
        context.blocking(move |_| locate_share(&files, share))
    });
    Ok(try_join_all(shares).await?.into_iter().flatten().collect())
}

/// The newest file is asked first: what changes again is mostly what changed lately.
fn locate_share(files: &DataFiles, keys: Vec<KeyHash>) -> Result<Vec<Option<RowLocation>>, TableError> {
    let mut located = vec![None; keys.len()];
    let mut missing: Vec<(KeyHash, u32)> = keys.into_iter().zip(0..).collect();
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
