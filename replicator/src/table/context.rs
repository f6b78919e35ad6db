//! What a table is reached with: storage, log, kernel, index. Cheap to clone, so that work can go on beside the writing.

use std::sync::Arc;

use arrow_array::RecordBatch;
use buoyant_kernel::Engine;
use futures::Stream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use roaring::RoaringTreemap;
use url::Url;

use super::columns::Columns;
use super::data_file::RemovedAt;
use super::index::{self, IndexDirectory, KeyRun};
use super::log::{Add, DeletionVector, Entry, Log};
use super::parquet_file::ParquetFile;
use super::{TableError, TableSpec, deletion_vector, kernel};
use crate::change::{KeyEncoder, KeyHash};

/// Storage, log, kernel and index of one table.
#[derive(Clone)]
pub(super) struct Context {
    pub spec: Arc<TableSpec>,
    pub uri: Arc<str>,
    /// The table's folder.
    pub store: Arc<dyn ObjectStore>,
    pub log: Log,
    pub engine: Arc<dyn Engine>,
}

impl Context {
    pub(super) fn new(spec: &TableSpec) -> Result<Self, TableError> {
        let place = spec.place()?;
        let uri = spec.uri();
        let engine = kernel::engine(place.root);
        let engine = engine.map_err(|error| TableError::Internal(format!("cannot start threads: {error}")))?;
        Ok(Self {
            spec: Arc::new(spec.clone()),
            uri: uri.into(),
            log: Log::new(Arc::clone(&place.folder)),
            store: place.folder,
            engine,
        })
    }

    /// The table's address as a directory, to which relative paths are joined.
    pub(super) fn directory(&self) -> Url {
        let mut url = self.spec.url.clone();
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        url
    }

    /// Files that leave the table now.
    pub(super) fn removed_at(&self) -> RemovedAt {
        let now = self.spec.clock.now_ms();
        RemovedAt { now, brief_since: now.saturating_sub(self.spec.maintenance.brief_ms()) }
    }

    pub(super) fn storage(&self, doing: &'static str) -> impl FnOnce(object_store::Error) -> TableError + use<> {
        TableError::storage(doing, &self.uri)
    }

    /// Somebody else changed rows.
    pub(super) fn foreign_change(&self, entry: &Entry) -> TableError {
        TableError::ForeignChange { uri: self.uri.to_string(), version: entry.version, who: entry.who() }
    }

    /// Runs what blocks where that is allowed.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        let context = self.clone();
        let done = tokio::task::spawn_blocking(move || work(context)).await;
        done.unwrap_or_else(|error| Err(TableError::Internal(error.to_string())))
    }

    /// A data file of the table.
    pub(super) fn parquet_file(&self, add: &Add) -> ParquetFile {
        ParquetFile {
            store: Arc::clone(&self.store),
            path: located(&add.path),
            size: add.size as u64,
            partition_values: add.partition_values.clone(),
            bytes: None,
        }
    }

    /// The rows that a deletion vector names.
    pub(super) async fn deleted_rows(&self, vector: &DeletionVector) -> Result<RoaringTreemap, TableError> {
        let vector = vector.clone();
        let read = self.blocking(move |context| {
            let storage = context.engine.storage_handler();
            let read = deletion_vector::read(&vector, storage, &context.directory());
            read.map_err(TableError::log("read a deletion vector of", &context.uri))
        });
        read.await
    }

    /// Where the runs of keys of these columns are kept.
    pub(super) fn index(&self, columns: &Columns) -> Result<IndexDirectory, TableError> {
        Ok(IndexDirectory::open(&self.spec, &columns.key_kind())?)
    }

    /// A data file that somebody removed is an error.
    pub(super) async fn refuse_missing(&self, path: &str) -> Result<(), TableError> {
        match self.store.head(&located(path)).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => {
                Err(TableError::MissingFile { uri: self.uri.to_string(), path: path.to_owned() })
            }
            Err(error) => Err(self.storage("look for a data file of")(error)),
        }
    }

    /// The keys of a data file: the stored run, or one that is made from the file's key columns.
    pub(super) async fn keys(&self, columns: &Columns, add: &Add, rows: u64) -> Result<KeyRun, TableError> {
        let keys = match self.index(columns)?.load(&add.path, rows)? {
            // Nobody reads the file then, so that nobody would notice.
            Some(keys) => {
                self.refuse_missing(&add.path).await?;
                keys
            }
            None => self.rebuild_keys(columns, add, rows).await?,
        };
        self.spec.opening.one_more();
        Ok(keys)
    }

    async fn rebuild_keys(&self, columns: &Columns, add: &Add, rows: u64) -> Result<KeyRun, TableError> {
        let index = self.index(columns)?;
        let file = StoredFile { context: self, add, rows, columns };
        let encoder = columns.key_encoder()?;
        let keys = index::rebuild(&index, &file, |batch| Ok(hashes(&encoder, batch)?)).await?;
        self.refuse_tie(columns, add, &keys).await?;
        Ok(keys)
    }

    /// A file of which two rows have one hash is not written on: one of them would stay when its key changes. Hashes are
    /// wide, so it is the same key twice; the keys themselves say so.
    pub(super) async fn refuse_tie(&self, columns: &Columns, add: &Add, keys: &KeyRun) -> Result<(), TableError> {
        let Some((first, second)) = keys.tie() else { return Ok(()) };
        let rows = self.parquet_file(add).rows_at(Arc::new(columns.key_schema()), &[first, second]).await;
        let rows = rows.map_err(TableError::read_data_file(&self.uri, &add.path))?;
        let encoded = columns.key_encoder()?.rows(rows.columns())?;
        let what = if encoded.row(0) == encoded.row(1) { "the same key" } else { "keys with the same hash" };
        keys.remove();
        Err(TableError::Damaged {
            uri: self.uri.to_string(),
            path: add.path.clone(),
            problem: format!("its rows {first} and {second} have {what}"),
        })
    }

    /// Removes objects that nothing refers to. One that stays is removed by the next vacuum.
    pub(super) async fn discard(&self, paths: Vec<String>) {
        for path in paths {
            if let Ok(path) = Path::parse(&path) {
                let _ = self.store.delete(&path).await;
            }
        }
    }
}

/// Where a data file is that the log names so.
fn located(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

fn hashes(encoder: &KeyEncoder, key: &RecordBatch) -> Result<Vec<KeyHash>, arrow_schema::ArrowError> {
    encoder.hashes(key.columns())
}

/// A data file whose keys are to be read.
pub(super) struct StoredFile<'a> {
    context: &'a Context,
    add: &'a Add,
    pub rows: u64,
    columns: &'a Columns,
}

impl StoredFile<'_> {
    pub(super) fn path(&self) -> &str {
        &self.add.path
    }

    /// The key columns of all rows.
    pub(super) async fn key_columns(
        &self,
    ) -> Result<impl Stream<Item = Result<RecordBatch, TableError>> + Send + use<>, TableError> {
        use futures::StreamExt;
        let (uri, path) = (Arc::clone(&self.context.uri), self.add.path.clone());
        let schema = Arc::new(self.columns.key_schema());
        let batches = self.context.parquet_file(self.add).columns(schema).await;
        let batches = batches.map_err(TableError::read_data_file(&uri, &path))?;
        Ok(batches.map(move |batch| batch.map_err(TableError::read_data_file(&uri, &path))))
    }

    /// The file holds another number of rows than the log says.
    pub(super) fn other_rows(&self, found: u64) -> TableError {
        TableError::Damaged {
            uri: self.context.uri.to_string(),
            path: self.add.path.clone(),
            problem: format!("it holds {found} rows, the log says {}", self.rows),
        }
    }
}
