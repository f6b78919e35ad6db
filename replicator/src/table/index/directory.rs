//! The directory of a table's key runs. It can be lost: every run is made again from the key columns of its data file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::IndexError;
use super::build::Builder;
use super::format::Layout;
use super::run::KeyRun;
use super::sink::{Sink, Source};
use crate::change::KeyHash;
use crate::table::TableSpec;

/// Where the key runs of one table are kept.
#[derive(Clone, Debug)]
pub(in crate::table) struct IndexDirectory {
    /// `None`: in memory.
    path: Option<PathBuf>,
    /// Runs of fewer rows are in memory.
    memory_rows: u64,
    /// Stands for the key columns and the seed of their hashes: runs of others are not ours.
    kind: Arc<str>,
}

impl IndexDirectory {
    /// The directory of the table of `spec`, whose keys are those that `kind` describes; made when it is not there.
    pub(in crate::table) fn open(spec: &TableSpec, kind: &str) -> Result<Self, IndexError> {
        let uri = spec.uri();
        let path = spec.index_dir.as_deref().map(|root| root.join(format!("{:032x}", xxh3_128(uri.as_bytes()))));
        if let Some(path) = &path {
            std::fs::create_dir_all(path).map_err(IndexError::io("create", path))?;
        }
        Ok(Self { path, memory_rows: spec.index_memory_rows, kind: kind.into() })
    }

    fn file(&self, data_file: &str, rows: u64) -> Option<PathBuf> {
        let directory = self.path.as_ref().filter(|_| rows >= self.memory_rows)?;
        let name = xxh3_128(format!("{data_file}\0{}", self.kind).as_bytes());
        Some(directory.join(format!("{name:032x}.keys")))
    }

    fn sink(&self, data_file: &str, rows: u64) -> Result<Sink, IndexError> {
        self.file(data_file, rows).map_or_else(|| Ok(Sink::Memory(Vec::new())), Sink::file)
    }

    /// The run of a data file of which each row's key is known, in any order.
    pub(in crate::table) fn write(&self, data_file: &str, rows: Vec<(KeyHash, u32)>) -> Result<KeyRun, IndexError> {
        let sink = self.sink(data_file, rows.len() as u64)?;
        KeyRun::of_rows(rows, sink)
    }

    /// The stored run of a data file; `None` when there is none, or it is damaged or of another file.
    pub(in crate::table) fn load(&self, data_file: &str, rows: u64) -> Result<Option<KeyRun>, IndexError> {
        let Some(path) = self.file(data_file, rows).filter(|path| path.exists()) else { return Ok(None) };
        let run = KeyRun::load(Source::open(&path)?)?;
        Ok(run.filter(|run| run.rows() == rows))
    }

    /// Starts to write the run of a data file of `rows` rows whose keys are yet to be read.
    pub(super) fn builder(&self, data_file: &str, rows: u64) -> Result<(Layout, Builder), IndexError> {
        let layout = Layout::new(rows);
        Ok((layout, Builder::new(layout, self.sink(data_file, rows)?)?))
    }

    /// Has the run of a data file that `other` has under another name as well. That it is not there is no error: it can be made anew.
    pub(in crate::table) fn keep(&self, data_file: &str, other: &Self, named: &str, rows: u64) {
        if let (Some(to), Some(from)) = (self.file(data_file, rows), other.file(named, rows)) {
            let _ = std::fs::hard_link(from, to);
        }
    }

    /// Removes the directory.
    pub(in crate::table) fn remove(&self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_dir_all(path);
        }
    }

    /// Removes the runs of files that are not in the table, such as those of an earlier process.
    pub(in crate::table) fn keep_only<'a>(
        &self,
        files: impl Iterator<Item = (&'a str, u64)>,
    ) -> Result<(), IndexError> {
        let Some(directory) = &self.path else { return Ok(()) };
        let kept: HashSet<PathBuf> = files.filter_map(|(file, rows)| self.file(file, rows)).collect();
        for entry in std::fs::read_dir(directory).map_err(IndexError::io("read", directory))? {
            let path = entry.map_err(IndexError::io("read", directory))?.path();
            if !kept.contains(&path) {
                std::fs::remove_file(&path).map_err(IndexError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}
