//! Finds the live rows of many keys at once.

use super::IndexError;
use crate::change::KeyHash;
use crate::table::data_file::{DataFiles, RowLocation};

/// Where the live row of each key is. Blocks on the disk.
///
/// The newest file is asked first: what changes again is mostly what changed lately.
pub(in crate::table) fn locate(files: &DataFiles, keys: &[KeyHash]) -> Result<Vec<Option<RowLocation>>, IndexError> {
    let mut located = vec![None; keys.len()];
    let mut open: Vec<(KeyHash, u32)> = keys.iter().copied().zip(0..).collect();
    open.sort_unstable();
    for (id, file) in files.newest_first() {
        if open.is_empty() {
            break;
        }
        let mut any = false;
        file.keys.look_up(&open, |number, row| {
            if !file.deleted.contains(u64::from(row)) {
                located[number as usize] = Some(RowLocation { file: id, row });
                any = true;
            }
        })?;
        if any {
            open.retain(|(_, number)| located[*number as usize].is_none());
        }
    }
    Ok(located)
}
