//! Where the bytes of a key run go: memory for small ones, a file of the index directory for all others.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::IndexError;

/// The bytes of a run while it is written.
pub(super) enum Sink {
    Memory(Vec<u8>),
    File { file: File, part: PathBuf, path: PathBuf },
}

/// The bytes of a finished run.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Vec<u8>),
    File { file: File, path: PathBuf },
}

impl Sink {
    /// A file that has its name once it is complete.
    pub(super) fn file(path: PathBuf) -> Result<Self, IndexError> {
        let part = path.with_extension("part");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&part);
        let file = file.map_err(IndexError::io("create", &part))?;
        Ok(Self::File { file, part, path })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        match self {
            Self::Memory(memory) => {
                memory.extend(bytes);
                Ok(())
            }
            Self::File { file, part, .. } => file.write_all(bytes).map_err(IndexError::io("write", part)),
        }
    }

    /// Puts the head over the first bytes. A file has its name then. It is not synced: what a power cut leaves of it is
    /// known by its length and its checksums, and made again.
    pub(super) fn finish(&mut self, head: &[u8]) -> Result<(), IndexError> {
        match self {
            Self::Memory(memory) => memory[..head.len()].copy_from_slice(head),
            Self::File { file, part, path } => {
                file.write_all_at(head, 0).map_err(IndexError::io("write", part))?;
                std::fs::rename(&*part, &*path).map_err(IndexError::io("rename", part))?;
            }
        }
        Ok(())
    }

    pub(super) fn into_source(self) -> Source {
        match self {
            Self::Memory(memory) => Source::Memory(memory),
            Self::File { file, path, .. } => Source::File { file, path },
        }
    }
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, IndexError> {
        let file = File::open(path).map_err(IndexError::io("open", path))?;
        Ok(Self::File { file, path: path.to_owned() })
    }

    /// All bytes.
    pub(super) fn length(&self) -> Result<u64, IndexError> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File { file, path } => Ok(file.metadata().map_err(IndexError::io("read", path))?.len()),
        }
    }

    /// `length` bytes from `at`.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, IndexError> {
        let mut bytes = vec![0; length];
        self.read_at(at, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes` with those from `at`.
    pub(super) fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<(), IndexError> {
        match self {
            Self::Memory(memory) => {
                bytes.copy_from_slice(&memory[at as usize..at as usize + bytes.len()]);
                Ok(())
            }
            Self::File { file, path } => file.read_exact_at(bytes, at).map_err(IndexError::io("read", path)),
        }
    }

    /// The error of a run that does not hold what was written. It is removed, so that the next start makes it again.
    pub(super) fn refuse(&self) -> IndexError {
        self.remove();
        let path = match self {
            Self::Memory(_) => PathBuf::from("a run in memory"),
            Self::File { path, .. } => path.clone(),
        };
        IndexError::Damaged { path }
    }

    /// Bytes that are held in memory.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { .. } => 0,
        }
    }

    /// The file leaves the directory; whoever reads it still can.
    pub(super) fn remove(&self) {
        if let Self::File { path, .. } = self {
            // One that stays is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}
