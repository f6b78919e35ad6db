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
pub enum IndexError {
    /// The disk refuses.
    #[error(
        "cannot {doing} {} of the key index: see that its folder can be written and that the volume has room \
             (replicator.index.storage, or the disk of --index-dir). What is in it can be removed: the index is made again \
             from the Delta tables",
        path.display()
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk returned something else than was written.
    #[error(
        "{} of the key index is damaged and was removed; it is made again from the Delta table. If that comes again, \
             look at the disk of the index volume (replicator.index, or --index-dir)",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl IndexError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
