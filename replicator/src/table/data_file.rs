//! The live data files of a table: the rows of each that are deleted, and its keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringTreemap;

use super::index::KeyRun;
use super::log::{Add, DeletionVector, Remove};

/// Number of a live data file, unique within one process and ascending with age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId(u32);

/// The place of a row: data file and position within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowLocation {
    /// The data file.
    pub file: FileId,
    /// Position of the row in the file, from 0, deleted rows counted.
    pub row: u32,
}

/// When files leave the table. Every checkpoint carries the time at which a file left, its tombstone, until the history is
/// over, so that no vacuum takes it before; with a commit a second and a week of history they would be millions. A file that
/// was in the table only briefly needs none: it is as good as protected by the time at which it was written, and our own
/// vacuum waits that much longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemovedAt {
    /// Milliseconds since the epoch.
    pub now: i64,
    /// What was put there at this time or later was there briefly.
    pub brief_since: i64,
}

/// A live data file as the last commit left it. It owns its keys.
#[derive(Clone, Debug)]
pub(super) struct DataFile {
    /// The action that put it there.
    pub add: Add,
    /// Rows it holds, deleted ones counted.
    pub rows: u64,
    /// Positions of deleted rows.
    pub deleted: RoaringTreemap,
    /// Bytes of all deletion vectors that this process knows to have been written for it: each stands for all its
    /// deleted rows, so they grow with every commit that deletes some.
    pub vector_bytes: u64,
    /// When it got its present deletion vector, milliseconds since the epoch; `None` when this process does not know.
    pub vector_since: Option<i64>,
    /// Which row has which key.
    pub keys: Arc<KeyRun>,
}

impl DataFile {
    /// Rows that are not deleted.
    pub(super) fn live_rows(&self) -> u64 {
        self.rows.saturating_sub(self.deleted.len())
    }

    /// Share of the rows that are deleted, 0 to 1.
    pub(super) fn deleted_share(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.deleted.len() as f64 / self.rows as f64 }
    }

    /// The action that takes the file, with its present deletion vector, out of the table at this time, or only the vector
    /// when the file `stays`.
    pub(super) fn remove_action(&self, at: &RemovedAt, stays: bool, data_change: bool) -> Remove {
        let is_brief = self.was_added_since(at.brief_since, stays);
        Remove {
            path: self.add.path.clone(),
            data_change,
            // The protocol lets the time be left out, which means 0; Trino's reader has no such case.
            deletion_timestamp: Some(if is_brief { 0 } else { at.now }),
            extended_file_metadata: Some(true),
            partition_values: Some(self.add.partition_values.clone()),
            size: Some(self.add.size),
            deletion_vector: self.add.deletion_vector.clone(),
        }
    }

    /// What of it goes was put there at `since` or later.
    fn was_added_since(&self, since: i64, stays: bool) -> bool {
        let is_new_vector = self.vector_since.is_some_and(|at| at >= since);
        (stays || self.add.modification_time >= since) && (self.add.deletion_vector.is_none() || is_new_vector)
    }

    /// The action that puts the file back with a new deletion vector. Its bounds are wide from then on: they may be
    /// those of a deleted row.
    pub(super) fn add_action(&self, deletion_vector: DeletionVector) -> Add {
        Add { data_change: true, ..with_vector(&self.add, self.rows, deletion_vector) }
    }
}

/// A file of `rows` rows of which some are deleted. Its bounds are wide, for they may be those of a deleted row; and it must
/// say how many rows it holds, whoever wrote it.
pub(super) fn with_vector(add: &Add, rows: u64, deletion_vector: DeletionVector) -> Add {
    let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
    let mut stats: serde_json::Map<String, serde_json::Value> = stats.unwrap_or_default();
    stats.insert("numRecords".to_owned(), rows.into());
    stats.insert("tightBounds".to_owned(), false.into());
    let stats = serde_json::Value::Object(stats).to_string();
    Add { stats: Some(stats), deletion_vector: Some(deletion_vector), ..add.clone() }
}

/// All live data files. Cheap to clone: a clone is what a look-up or a compaction works on while the writing goes on.
#[derive(Clone, Default)]
pub(super) struct DataFiles {
    files: BTreeMap<FileId, Arc<DataFile>>,
    by_path: HashMap<String, FileId>,
    next: u32,
    rows: u64,
}

impl DataFiles {
    /// Puts a file, in the place of the one with the same path if there is one.
    pub(super) fn put(&mut self, file: DataFile) -> FileId {
        let id = self.by_path.get(&file.add.path).copied().unwrap_or_else(|| {
            self.next += 1;
            FileId(self.next)
        });
        self.rows += file.live_rows();
        self.by_path.insert(file.add.path.clone(), id);
        if let Some(old) = self.files.insert(id, Arc::new(file)) {
            self.rows -= old.live_rows();
        }
        id
    }

    pub(super) fn remove(&mut self, path: &str) -> Option<Arc<DataFile>> {
        let id = self.by_path.remove(path)?;
        let file = self.files.remove(&id)?;
        self.rows -= file.live_rows();
        Some(file)
    }

    pub(super) fn get(&self, id: FileId) -> Option<&Arc<DataFile>> {
        self.files.get(&id)
    }

    pub(super) fn by_path(&self, path: &str) -> Option<(FileId, &Arc<DataFile>)> {
        let id = *self.by_path.get(path)?;
        Some((id, self.files.get(&id)?))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FileId, &Arc<DataFile>)> {
        self.files.iter().map(|(id, file)| (*id, file))
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = (FileId, &Arc<DataFile>)> {
        self.files.iter().rev().map(|(id, file)| (*id, file))
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Live rows of all files.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
}
