//! One Delta commit: new rows, deletion vectors, new columns and progress land together or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, FinalizedCommit};
use deltalake::kernel::{Action, DeletionVectorDescriptor};
use deltalake::protocol::DeltaOperation;
use object_store::{ObjectStoreExt, PutPayload};
use roaring::RoaringTreemap;
use serde_json::json;
use uuid::Uuid;

use super::data_file::DataFile;
use super::index::{FileId, RowLocation};
use super::writer::{self, WrittenFile};
use super::{KeyedTable, TableError, create, deletion_vector, transaction};
use crate::change::{Folded, KeyHash, PartitionProgress};

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Version of the Delta table.
    pub version: u64,
    /// Live rows after the commit.
    pub rows: usize,
    /// Live data files after the commit.
    pub files: usize,
    /// Files written: data and deletion vectors.
    pub files_written: usize,
    /// Their bytes.
    pub bytes_written: u64,
}

/// What becomes of the data files that held rows of the keys of a commit.
#[derive(Default)]
struct Removal {
    /// Files that lose some rows: all their deleted rows, old and new.
    shrunk: Vec<(FileId, RoaringTreemap)>,
    /// Files that lose their last row.
    emptied: Vec<FileId>,
}

impl KeyedTable {
    /// Applies `folded` and moves the progress to `progress`, exactly once.
    ///
    /// After a transient error nothing is known to have landed; call again with the same arguments. A commit that did
    /// land although it was answered with an error is recognised by its progress.
    pub async fn commit(&mut self, folded: &Folded, progress: &PartitionProgress) -> Result<Committed, TableError> {
        if self.in_doubt && self.reload(progress).await? {
            return Ok(self.committed());
        }
        let rows = folded.rows(&self.stored_values(folded).await?)?;
        let store = self.delta.log_store().object_store(None);
        let partition_by = self.partition_by();
        let written = writer::write(Arc::clone(&store), self.columns(), &partition_by, &rows).await;
        let written = written.map_err(TableError::storage("write", &self.spec.uri()))?;
        let removal = self.removal(folded);
        let vectors = deletion_vector::pack(removal.shrunk.iter().map(|(_, deleted)| deleted), Uuid::new_v4());
        let vectors = vectors.map_err(|source| self.unwritable(source))?;
        let bytes_written = written.iter().map(|file| file.add.size as u64).sum::<u64>();
        let mut report = Committed { files_written: written.len(), bytes_written, ..Committed::default() };
        if !vectors.descriptors.is_empty() {
            report.files_written += 1;
            report.bytes_written += vectors.bytes.len() as u64;
            let put = store.put(&vectors.path, PutPayload::from(vectors.bytes)).await;
            put.map_err(|error| TableError::storage("write", &self.spec.uri())(error.into()))?;
        }
        let actions = self.actions(&written, &removal, &vectors.descriptors)?;
        match self.put_commit(actions, progress).await {
            Ok(commit) => {
                self.delta.state = Some(commit.snapshot());
                self.adopt(folded, written, removal, vectors.descriptors, progress);
                Ok(Committed {
                    files_written: report.files_written,
                    bytes_written: report.bytes_written,
                    ..self.committed()
                })
            }
            Err(error) => {
                self.in_doubt = true;
                if self.reload(progress).await? {
                    return Ok(self.committed());
                }
                Err(TableError::storage("commit to", &self.spec.uri())(error))
            }
        }
    }

    fn committed(&self) -> Committed {
        Committed { version: self.version(), rows: self.rows(), files: self.files(), ..Committed::default() }
    }

    fn unwritable(&self, source: buoyant_kernel::Error) -> TableError {
        TableError::DeletionVector { doing: "write", uri: self.spec.uri(), source: Box::new(source) }
    }

    fn partition_by(&self) -> Vec<String> {
        let state = self.delta.snapshot();
        state.map(|state| state.metadata().partition_columns().to_vec()).unwrap_or_default()
    }

    /// Finds the rows that the keys of the commit have now.
    fn removal(&self, folded: &Folded) -> Removal {
        let mut removal = Removal::default();
        if folded.truncate {
            removal.emptied = self.files.iter().map(|(id, _)| id).collect();
            return removal;
        }
        let mut rows: BTreeMap<FileId, Vec<u64>> = BTreeMap::new();
        for location in folded.upserted().chain(folded.deleted()).filter_map(|key| self.index.locate(key)) {
            rows.entry(location.file).or_default().push(u64::from(location.row));
        }
        for (id, mut rows) in rows {
            let Some(file) = self.files.get(id) else { continue };
            rows.sort_unstable();
            let mut deleted = file.deleted.clone();
            deleted.extend(rows);
            if file.rows != 0 && deleted.len() == file.rows {
                removal.emptied.push(id);
            } else {
                removal.shrunk.push((id, deleted));
            }
        }
        removal
    }

    fn actions(
        &self,
        written: &[WrittenFile],
        removal: &Removal,
        vectors: &[DeletionVectorDescriptor],
    ) -> Result<Vec<Action>, TableError> {
        let mut actions = self.column_actions()?;
        let file = |id: &FileId| self.files.get(*id);
        for file in removal.emptied.iter().filter_map(file) {
            actions.push(Action::Remove(file.remove_action()));
        }
        for ((id, _), vector) in removal.shrunk.iter().zip(vectors) {
            if let Some(file) = file(id) {
                actions.push(Action::Remove(file.remove_action()));
                actions.push(Action::Add(file.add_action(vector.clone())));
            }
        }
        actions.extend(written.iter().map(|file| Action::Add(file.add.clone())));
        Ok(actions)
    }

    /// New columns, and the table feature that they may need.
    fn column_actions(&self) -> Result<Vec<Action>, TableError> {
        let Some(grown) = &self.grown else { return Ok(Vec::new()) };
        let state = self.delta.snapshot().map_err(TableError::storage("write", &self.spec.uri()))?;
        let mut actions = vec![Action::Metadata(create::grown(state.metadata(), &self.spec, grown)?)];
        if grown.has_timestamp_ntz()? && !self.columns.has_timestamp_ntz()? {
            actions.insert(0, Action::Protocol(create::protocol(grown)?));
        }
        Ok(actions)
    }

    async fn put_commit(
        &self,
        actions: Vec<Action>,
        progress: &PartitionProgress,
    ) -> Result<FinalizedCommit, DeltaTableError> {
        let offsets = progress.iter().map(|(partition, to)| {
            let from = self.progress.get(partition).map_or(0, |from| from.next_offset);
            (partition.to_string(), json!([from, to.next_offset]))
        });
        let offsets = offsets.collect::<serde_json::Map<_, _>>();
        // No retries inside: delta-rs would put a commit with removals on top of a compaction that moved the rows
        // elsewhere, and so double them. The log is cleaned elsewhere: here it would list the whole log every time.
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false))
            .with_metadata([("tributary.offsets".to_owned(), offsets.into())])
            .with_application_transactions(transaction::transactions(&self.spec.topic, progress));
        let operation = DeltaOperation::Merge {
            predicate: None,
            merge_predicate: None,
            matched_predicates: vec![],
            not_matched_predicates: vec![],
            not_matched_by_source_predicates: vec![],
        };
        let state = self.delta.snapshot()?;
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), self.delta.log_store(), operation)
            .await
    }

    /// Brings what is in memory to the state after the commit.
    fn adopt(
        &mut self,
        folded: &Folded,
        written: Vec<WrittenFile>,
        removal: Removal,
        vectors: Vec<DeletionVectorDescriptor>,
        progress: &PartitionProgress,
    ) {
        if folded.truncate {
            self.index.clear();
        }
        for id in removal.emptied {
            self.files.remove(id);
        }
        for ((id, deleted), vector) in removal.shrunk.into_iter().zip(vectors) {
            if let Some(file) = self.files.get_mut(id) {
                file.add = file.add_action(vector);
                file.deleted = deleted;
            }
        }
        for key in folded.deleted() {
            self.index.remove(key);
        }
        let keys: Vec<KeyHash> = folded.upserted().collect();
        for WrittenFile { add, rows } in written {
            let id = self.files.insert(DataFile::written(add, rows.len() as u64));
            for (row, &at) in rows.iter().enumerate() {
                self.index.insert(keys[at as usize], RowLocation { file: id, row: row as u32 });
            }
        }
        if let Some(grown) = self.grown.take() {
            self.columns = grown;
        }
        self.progress.clone_from(progress);
    }

    /// Reads the log again after a commit of unknown fate. `true`: it landed.
    async fn reload(&mut self, target: &PartitionProgress) -> Result<bool, TableError> {
        let (before, ours) = (self.version(), self.progress.clone());
        let update = self.delta.update_state().await;
        update.map_err(TableError::storage("read the log of", &self.spec.uri()))?;
        if self.version() == before {
            self.in_doubt = false;
            return Ok(false);
        }
        let grown = self.grown.take();
        let reopened = Self::of_loaded(self.spec.clone(), self.delta.clone()).await?;
        *self = reopened;
        self.grown = grown.filter(|grown| *grown != self.columns);
        if self.progress == *target {
            return Ok(true);
        }
        self.refuse_second_writer(&ours)?;
        Ok(false)
    }

    fn refuse_second_writer(&self, ours: &PartitionProgress) -> Result<(), TableError> {
        for (partition, theirs) in &self.progress {
            let ours = ours.get(partition).map_or(0, |ours| ours.next_offset);
            if theirs.next_offset != ours {
                let (uri, theirs) = (self.spec.uri(), theirs.next_offset);
                return Err(TableError::SecondWriter { uri, partition: *partition, theirs, ours });
            }
        }
        Ok(())
    }
}
