//! Where each key lives: every data file owns a run of its keys, on disk and sorted, with a filter in front.

mod build;
mod directory;
mod filter;
mod format;
mod locate;
mod rebuild;
mod run;
mod sink;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub(super) use directory::IndexDirectory;
pub(super) use locate::locate;
pub(super) use rebuild::rebuild;
pub(super) use run::KeyRun;

/// A file of the key index cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {doing} {} of the key index: make room on that volume (replicator.index.storage, or the disk of --index-dir), or \
     empty it: the index is made again from the Delta tables",
    path.display()
)]
pub struct IndexError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl IndexError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }
}
