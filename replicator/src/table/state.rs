//! A version of the table in memory, and how it becomes the next one: from the actions of the log, whoever wrote them.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use roaring::RoaringTreemap;

use super::columns::Columns;
use super::context::Context;
use super::data_file::{DataFile, DataFiles};
use super::foreign::{self, LiveFile};
use super::index::KeyRun;
use super::log::{Add, Entry, Metadata, Protocol};
use super::{TableError, progress, protocol};
use crate::change::PartitionProgress;

/// Files that are read at the same time.
const CONCURRENT_FILES: usize = 4;

/// A version of the table.
#[derive(Clone)]
pub(super) struct State {
    pub version: u64,
    pub protocol: Protocol,
    pub metadata: Metadata,
    pub columns: Columns,
    pub files: DataFiles,
    pub progress: PartitionProgress,
}

/// What the writer of a commit knows of its files, so that it need not be read.
#[derive(Default)]
pub(super) struct Known {
    /// Keys by path.
    pub keys: HashMap<String, Arc<KeyRun>>,
    /// Deleted rows by path.
    pub deleted: HashMap<String, RoaringTreemap>,
    /// It takes all rows away, so that the columns and the key may be other ones.
    pub other_columns: bool,
}

/// A commit with everything that its files hold.
pub(super) struct Adoption {
    entry: Entry,
    columns: Columns,
    files: Vec<DataFile>,
}

impl State {
    /// Reads what is not known of the files that `entry` adds: that is its whole cost. Nothing changes yet.
    pub(super) async fn resolve(
        &self,
        context: &Context,
        entry: Entry,
        mut known: Known,
    ) -> Result<Adoption, TableError> {
        let metadata = entry.metadata.as_ref().unwrap_or(&self.metadata);
        protocol::check(entry.protocol.as_ref().unwrap_or(&self.protocol), metadata, &context.uri)?;
        let columns = match &entry.metadata {
            Some(metadata) => self.columns_of(context, metadata, known.other_columns)?,
            None => self.columns.clone(),
        };
        let parts = entry.adds.iter().map(|add| {
            let (keys, deleted) = (known.keys.remove(&add.path), known.deleted.remove(&add.path));
            self.data_file(context, &columns, add, keys, deleted)
        });
        let parts: Vec<_> = parts.collect();
        let mut files: Vec<DataFile> = stream::iter(parts).buffered(CONCURRENT_FILES).try_collect().await?;
        let since = entry.info.get("timestamp").and_then(serde_json::Value::as_i64);
        for file in files.iter_mut().filter(|file| !self.has_vector_of(file)) {
            file.vector_since = since;
        }
        Ok(Adoption { entry, columns, files })
    }

    /// A commit of somebody else that says that it only moves rows does so.
    pub(super) async fn keeps_rows(&self, context: &Context, entry: &Entry) -> Result<bool, TableError> {
        let live = |path: &str| {
            let (_, file) = self.files.by_path(path)?;
            Some(LiveFile { vector: file.add.deletion_vector.as_ref(), rows: file.live_rows() })
        };
        foreign::keeps_rows(context, entry, live).await
    }

    fn columns_of(&self, context: &Context, metadata: &Metadata, may_differ: bool) -> Result<Columns, TableError> {
        let uri = context.uri.to_string();
        let not_ours = |found: &str| TableError::NotOurs { uri: uri.clone(), found: found.to_owned() };
        let columns = Columns::of_metadata(metadata)?.ok_or_else(|| not_ours("its key columns are gone"))?;
        if !may_differ && columns.key_kind() != self.columns.key_kind() {
            return Err(not_ours("somebody changed its key columns or made it anew"));
        }
        Ok(columns)
    }

    async fn data_file(
        &self,
        context: &Context,
        columns: &Columns,
        add: &Add,
        keys: Option<Arc<KeyRun>>,
        deleted: Option<RoaringTreemap>,
    ) -> Result<DataFile, TableError> {
        let before = self.files.by_path(&add.path).map(|(_, file)| file);
        let deleted = match (deleted, &add.deletion_vector, before) {
            (Some(deleted), ..) => deleted,
            (None, None, _) => RoaringTreemap::new(),
            (None, vector, Some(before)) if before.add.deletion_vector == *vector => before.deleted.clone(),
            (None, Some(vector), _) => context.deleted_rows(vector).await?,
        };
        let keys = match (keys, before) {
            (Some(keys), _) => keys,
            (None, Some(before)) => Arc::clone(&before.keys),
            (None, None) => Arc::new(context.keys(columns, add, rows(context, add).await?).await?),
        };
        let vector = add
            .deletion_vector
            .as_ref()
            .filter(|vector| before.is_none_or(|before| before.add.deletion_vector.as_ref() != Some(vector)));
        let vector_bytes = before.map_or(0, |before| before.vector_bytes)
            + vector.map_or(0, |vector| u64::try_from(vector.size_in_bytes).unwrap_or(0));
        let (add, vector_since) = (Add { tags: None, ..add.clone() }, before.and_then(|before| before.vector_since));
        Ok(DataFile { add, rows: keys.rows(), deleted, vector_bytes, vector_since, keys })
    }

    /// The file has its deletion vector in this version already.
    fn has_vector_of(&self, file: &DataFile) -> bool {
        let before = self.files.by_path(&file.add.path);
        before.is_some_and(|(_, before)| before.add.deletion_vector == file.add.deletion_vector)
    }

    /// Becomes the version that `adoption` describes.
    pub(super) fn apply(&mut self, context: &Context, adoption: Adoption) {
        let Adoption { entry, columns, files } = adoption;
        let stays = |path: &str| files.iter().any(|file| file.add.path == path);
        for remove in entry.removes.iter().filter(|remove| !stays(&remove.path)) {
            if let Some(gone) = self.files.remove(&remove.path) {
                gone.keys.remove();
            }
        }
        for file in files {
            self.files.put(file);
        }
        self.version = entry.version;
        self.columns = columns;
        if let Some(metadata) = entry.metadata {
            self.metadata = metadata;
        }
        if let Some(protocol) = entry.protocol {
            self.protocol = protocol;
        }
        if let Some(progress) = progress::of_txns(&context.spec.topic, &entry.txns) {
            self.progress = progress;
        }
    }
}

/// Rows of a file, by the log or else by the file itself.
pub(super) async fn rows(context: &Context, add: &Add) -> Result<u64, TableError> {
    let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok());
    match stats.and_then(|stats| stats.get("numRecords")?.as_u64()) {
        Some(rows) => Ok(rows),
        None => context.parquet_file(add).rows().await.map_err(TableError::read_data_file(&context.uri, &add.path)),
    }
}
