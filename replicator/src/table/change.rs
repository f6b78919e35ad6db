//! What a commit does to the table, as one value: planned first, landed then, adopted last.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use roaring::RoaringTreemap;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::data_file::{self, DataFile, DataFiles, FileId, RemovedAt, RowLocation};
use super::index::KeyRun;
use super::log::{Add, DeletionVector, ENGINE, Entry, Metadata, Protocol, Txn};
use super::state::Known;
use super::{TableError, create};

/// A data file that was written, with its keys.
#[derive(Clone)]
pub(super) struct WrittenFile {
    pub add: Add,
    pub keys: Arc<KeyRun>,
}

/// Which rows go, by the file that holds them.
#[derive(Default)]
pub(super) struct Removal {
    /// Files that lose some rows: all their deleted rows, old and new.
    pub shrunk: Vec<(Arc<DataFile>, RoaringTreemap)>,
    /// Files that lose their last row.
    pub emptied: Vec<Arc<DataFile>>,
}

impl Removal {
    /// The rows at `locations` go.
    pub(super) fn of_rows(files: &DataFiles, locations: impl Iterator<Item = RowLocation>) -> Self {
        let mut rows: BTreeMap<FileId, Vec<u64>> = BTreeMap::new();
        for location in locations {
            rows.entry(location.file).or_default().push(u64::from(location.row));
        }
        let mut removal = Self::default();
        for (id, rows) in rows {
            let Some(file) = files.get(id) else { continue };
            let mut deleted = file.deleted.clone();
            deleted.extend(rows);
            if deleted.len() == file.rows {
                removal.emptied.push(Arc::clone(file));
            } else {
                removal.shrunk.push((Arc::clone(file), deleted));
            }
        }
        removal
    }

    /// All rows go.
    pub(super) fn of_all(files: &DataFiles) -> Self {
        Self { shrunk: Vec::new(), emptied: files.iter().map(|(_, file)| Arc::clone(file)).collect() }
    }
}

/// What a commit does to the table.
#[derive(Default)]
pub(super) struct Change {
    /// Name of the operation in the history of the table.
    pub operation: &'static str,
    /// More of what the history says.
    pub details: Map<String, Value>,
    /// Rows come, go or change; `false` when they only move from file to file.
    pub changes_data: bool,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    pub txns: Vec<Txn>,
    pub added: Vec<WrittenFile>,
    /// Files that were added with some of their rows deleted already, by path.
    pub added_deleted: Vec<(String, DeletionVector, RoaringTreemap)>,
    /// Files that stay with more rows deleted.
    pub shrunk: Vec<(Arc<DataFile>, DeletionVector, RoaringTreemap)>,
    pub removed: Vec<Arc<DataFile>>,
    /// All rows go, and the columns may be other ones from now on.
    pub other_columns: bool,
}

/// A commit, ready to be put: it is put again as it is until its fate is known.
pub(super) struct Commit {
    pub id: String,
    pub entry: Entry,
    pub bytes: Bytes,
    known: Known,
}

impl Change {
    /// The commit that makes this change the version after `base`.
    pub(super) fn commit(self, base: u64, at: RemovedAt) -> Result<Commit, TableError> {
        let id = Uuid::new_v4().to_string();
        let known = self.known();
        let mut entry = Entry { version: base + 1, info: self.info(base, at.now), ..Entry::default() };
        entry.identify(&id);
        let shrunk = self.shrunk.iter().map(|(file, ..)| file.remove_action(&at, true, self.changes_data));
        let removed = self.removed.iter().map(|file| file.remove_action(&at, false, self.changes_data));
        entry.removes = removed.chain(shrunk).collect();
        entry.adds = self.shrunk.iter().map(|(file, vector, _)| file.add_action(vector.clone())).collect();
        entry.adds.extend(self.added.iter().map(|file| self.added(file)));
        (entry.protocol, entry.metadata, entry.txns) = (self.protocol, self.metadata, self.txns);
        let bytes = entry.to_json().map_err(create::unexpected)?;
        Ok(Commit { id, entry, bytes, known })
    }

    fn added(&self, file: &WrittenFile) -> Add {
        let deleted = self.added_deleted.iter().find(|(path, ..)| *path == file.add.path);
        let add = match deleted {
            Some((_, vector, _)) => data_file::with_vector(&file.add, file.keys.rows(), vector.clone()),
            None => file.add.clone(),
        };
        Add { data_change: self.changes_data, ..add }
    }

    fn info(&self, base: u64, now: i64) -> Map<String, Value> {
        let mut info = Map::from_iter([
            ("timestamp".to_owned(), now.into()),
            ("operation".to_owned(), self.operation.into()),
            ("operationParameters".to_owned(), json!({})),
            ("engineInfo".to_owned(), ENGINE.into()),
            ("readVersion".to_owned(), base.into()),
            ("isBlindAppend".to_owned(), false.into()),
        ]);
        info.extend(self.details.clone());
        info
    }

    fn known(&self) -> Known {
        let shrunk = self.shrunk.iter().map(|(file, _, deleted)| (file.add.path.clone(), deleted.clone()));
        let added = self.added_deleted.iter().map(|(path, _, deleted)| (path.clone(), deleted.clone()));
        Known {
            keys: self.added.iter().map(|file| (file.add.path.clone(), Arc::clone(&file.keys))).collect(),
            deleted: shrunk.chain(added).collect(),
            other_columns: self.other_columns,
        }
    }
}

impl Commit {
    /// What the table becomes by it, and what is known of its files.
    pub(super) fn into_known(self) -> (Entry, Known) {
        (self.entry, self.known)
    }
}
