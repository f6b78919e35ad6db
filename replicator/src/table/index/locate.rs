//! Finds the live rows of many keys at once.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use futures::future::try_join_all;

use crate::change::KeyHash;
use crate::table::TableError;
use crate::table::context::Context;
use crate::table::data_file::{DataFiles, RowLocation};

/// Keys that are looked up at a time: few enough that they stay in the cache while file after file is asked.
const SHARE: usize = 1000;

/// Where the live row of each key is, on all cores. The keys come in ascending order.
pub(in crate::table) async fn locate(
    context: &Context,
    files: &DataFiles,
    keys: Vec<KeyHash>,
) -> Result<Vec<Option<RowLocation>>, TableError> {
    let shares = keys.len().div_ceil(SHARE);
    let cores = available_parallelism().map_or(1, NonZero::get);
    let (files, keys, next) = (Arc::new(files.clone()), Arc::new(keys), Arc::new(AtomicUsize::new(0)));
    // Whoever has done a share takes the next: a core that writes the commit's file meanwhile takes fewer.
    let workers = (0..cores.min(shares)).map(|_| {
        let (files, keys, next) = (Arc::clone(&files), Arc::clone(&keys), Arc::clone(&next));
        context.blocking(move |_| {
            let mut done = Vec::new();
            while let Some((number, share)) = nth_share(&keys, next.fetch_add(1, Ordering::Relaxed)) {
                done.push((number, locate_share(&files, share)?));
            }
            Ok(done)
        })
    });
    let mut done: Vec<_> = try_join_all(workers).await?.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().flat_map(|(_, located)| located).collect())
}

fn nth_share(keys: &[KeyHash], number: usize) -> Option<(usize, &[KeyHash])> {
    keys.chunks(SHARE).nth(number).map(|share| (number, share))
}

/// The newest file is asked first: what changes again is mostly what changed lately.
fn locate_share(files: &DataFiles, keys: &[KeyHash]) -> Result<Vec<Option<RowLocation>>, TableError> {
    let mut located = vec![None; keys.len()];
    let mut missing: Vec<(KeyHash, u32)> = keys.iter().copied().zip(0..).collect();
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
