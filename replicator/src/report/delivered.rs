//! How far the source's log had come out of the connector when its last tick was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A place in the log, shared by a table and its shadow; no log has the place 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivered(Arc<AtomicU64>);

impl Delivered {
    pub(super) fn set(&self, lsn: u64) {
        self.0.store(lsn, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|lsn| *lsn > 0)
    }
}
