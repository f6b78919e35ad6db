//! The live data files of a table and the rows of each that are deleted.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use deltalake::kernel::{Add, DeletionVectorDescriptor, LogicalFileView, Remove};
use roaring::RoaringTreemap;

use super::index::FileId;

/// A live data file as the last commit left it.
#[derive(Clone, Debug)]
pub(super) struct DataFile {
    /// The action that put it there.
    pub add: Add,
    /// Rows it holds, deleted ones counted.
    pub rows: u64,
    /// Positions of deleted rows.
    pub deleted: RoaringTreemap,
}

/// All live data files.
#[derive(Default)]
pub(super) struct DataFiles {
    files: BTreeMap<FileId, DataFile>,
    next: u32,
}

impl DataFiles {
    pub(super) fn insert(&mut self, file: DataFile) -> FileId {
        let id = FileId(self.next);
        self.next += 1;
        self.files.insert(id, file);
        id
    }

    pub(super) fn get(&self, id: FileId) -> Option<&DataFile> {
        self.files.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut DataFile> {
        self.files.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: FileId) {
        self.files.remove(&id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FileId, &DataFile)> {
        self.files.iter().map(|(id, file)| (*id, file))
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}

impl DataFile {
    /// A file as the log has it; its deleted rows are still to be read.
    pub(super) fn of_log(view: &LogicalFileView) -> Self {
        let add = Add {
            path: view.path().into_owned(),
            partition_values: view.partition_values_map(),
            size: view.size(),
            modification_time: view.modification_time(),
            data_change: true,
            stats: view.stats(),
            tags: None,
            deletion_vector: view.deletion_vector_descriptor(),
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        };
        let rows = view.num_records().unwrap_or_default() as u64;
        Self { add, rows, deleted: RoaringTreemap::new() }
    }

    /// A file that was just written.
    pub(super) fn written(add: Add, rows: u64) -> Self {
        Self { add, rows, deleted: RoaringTreemap::new() }
    }

    /// The action that takes the file, with its present deletion vector, out of the table.
    pub(super) fn remove_action(&self) -> Remove {
        Remove {
            path: self.add.path.clone(),
            data_change: true,
            deletion_timestamp: Some(now_ms()),
            extended_file_metadata: Some(true),
            partition_values: Some(self.add.partition_values.clone()),
            size: Some(self.add.size),
            tags: None,
            deletion_vector: self.add.deletion_vector.clone(),
            base_row_id: None,
            default_row_commit_version: None,
        }
    }

    /// The action that puts the file back with a new deletion vector. Its bounds are wide from then on: they may be
    /// those of a deleted row.
    pub(super) fn add_action(&self, deletion_vector: DeletionVectorDescriptor) -> Add {
        Add { stats: self.wide_stats(), deletion_vector: Some(deletion_vector), ..self.add.clone() }
    }

    fn wide_stats(&self) -> Option<String> {
        let mut stats: serde_json::Value = serde_json::from_str(self.add.stats.as_deref()?).ok()?;
        stats.as_object_mut()?.insert("tightBounds".to_owned(), false.into());
        Some(stats.to_string())
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
