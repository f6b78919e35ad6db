//! Opens a table from its Delta log alone: files, deleted rows, key index, progress.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use deltalake::kernel::Action;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use roaring::RoaringTreemap;

use super::columns::Columns;
use super::create::{self, KEY_COLUMNS, SOURCE_TOPIC};
use super::data_file::{DataFile, DataFiles};
use super::index::{FileId, KeyIndex, RowLocation};
use super::parquet_file::ParquetFile;
use super::{KeyedTable, TableError, TableSpec, deletion_vector, transaction, writer};
use crate::change::{KeyEncoder, KeyHash, RowSchema};

/// Files that are read at the same time.
const CONCURRENT_FILES: usize = 8;

impl KeyedTable {
    /// Opens the table; `None` when there is none yet. A table that this replication did not make is an error.
    pub async fn open(spec: &TableSpec) -> Result<Option<Self>, TableError> {
        match load(spec).await? {
            Some(delta) => Self::of_loaded(spec.clone(), delta).await.map(Some),
            None => Ok(None),
        }
    }

    /// The version of the table that is there; `None` when there is none. One that this replication did not make is an
    /// error, as for [`KeyedTable::open`], but no row is read.
    pub async fn existing_version(spec: &TableSpec) -> Result<Option<u64>, TableError> {
        let Some(delta) = load(spec).await? else { return Ok(None) };
        let state = delta.snapshot().map_err(TableError::storage("open", &spec.uri()))?;
        own_columns(spec, state)?;
        Ok(delta.version())
    }

    /// Creates the table, without rows, for these columns of the source.
    pub async fn create(spec: &TableSpec, source: &RowSchema) -> Result<Self, TableError> {
        let columns = Columns::of_source(source)?;
        let protocol = create::protocol(&columns)?;
        let metadata = create::metadata(spec, &columns)?;
        let delta = build(spec)?;
        let operation = DeltaOperation::Create {
            mode: SaveMode::ErrorIfExists,
            location: spec.url.clone(),
            protocol: protocol.clone(),
            metadata: metadata.clone(),
        };
        let actions = vec![Action::Protocol(protocol), Action::Metadata(metadata)];
        let commit = CommitBuilder::default().with_actions(actions).with_max_retries(0);
        let created = commit.build(None, delta.log_store(), operation).await;
        // Whatever became of the commit, the log says what is there now.
        match (Self::open(spec).await?, created) {
            (Some(table), _) => Ok(table),
            (None, Err(error)) => Err(TableError::storage("create", &spec.uri())(error)),
            (None, Ok(_)) => Err(TableError::storage("create", &spec.uri())(DeltaTableError::NotATable(spec.uri()))),
        }
    }

    pub(super) async fn of_loaded(spec: TableSpec, delta: DeltaTable) -> Result<Self, TableError> {
        let state = delta.snapshot().map_err(TableError::storage("open", &spec.uri()))?;
        let columns = own_columns(&spec, state)?;
        let progress = transaction::progress(state, delta.log_store().as_ref(), &spec.topic).await;
        let progress = progress.map_err(TableError::storage("open", &spec.uri()))?;
        let files = read_files(&spec, &delta, state).await?;
        let index = KeyIndex::default();
        let mut table = Self { spec, delta, columns, grown: None, files, index, progress, in_doubt: false };
        table.index = table.build_index().await?;
        Ok(table)
    }

    /// Reads the key columns of every live row.
    async fn build_index(&self) -> Result<KeyIndex, TableError> {
        let key: Vec<Field> = self.columns.key().iter().map(|&at| self.columns.arrow().field(at).clone()).collect();
        let encoder = KeyEncoder::new(key.iter().map(|field| field.data_type().clone()))?;
        let key = Schema::new(key);
        let files: Vec<(FileId, DataFile)> = self.files.iter().map(|(id, file)| (id, file.clone())).collect();
        let mut index = KeyIndex::default();
        let live = files.iter().map(|(_, file)| file.rows.saturating_sub(file.deleted.len())).sum::<u64>();
        index.reserve(live as usize);
        let mut hashed = stream::iter(files)
            .map(|(id, file)| {
                let reader = self.parquet_file(&file);
                let (key, encoder) = (&key, &encoder);
                async move { Ok::<_, TableError>((id, hash_keys(&reader, &file, key, encoder).await?, file)) }
            })
            .buffer_unordered(CONCURRENT_FILES);
        while let Some((id, keys, file)) = hashed.try_next().await? {
            for (row, key) in keys.into_iter().enumerate() {
                if file.deleted.contains(row as u64) {
                    continue;
                }
                if let Some(other) = index.insert(key, RowLocation { file: id, row: row as u32 }) {
                    return Err(self.duplicate_key(other.file, &file));
                }
            }
        }
        Ok(index)
    }

    fn duplicate_key(&self, first: FileId, second: &DataFile) -> TableError {
        let path = |file: &DataFile| file.add.path.clone();
        let first = self.files.get(first).map(path).unwrap_or_default();
        TableError::DuplicateKey { uri: self.spec.uri(), first, second: path(second) }
    }

    pub(super) fn parquet_file(&self, file: &DataFile) -> ParquetFile {
        ParquetFile {
            store: self.delta.log_store().object_store(None),
            path: Path::parse(&file.add.path).unwrap_or_else(|_| Path::from(file.add.path.as_str())),
            size: file.add.size as u64,
        }
    }
}

fn build(spec: &TableSpec) -> Result<DeltaTable, TableError> {
    crate::storage::register();
    let builder = DeltaTableBuilder::from_url(spec.url.clone());
    let builder = builder.map(|builder| match &spec.store {
        Some(store) => builder.with_storage_backend(Arc::clone(store), spec.url.clone()),
        None => builder.with_storage_options(spec.options.clone()),
    });
    builder.and_then(DeltaTableBuilder::build).map_err(TableError::storage("open", &spec.uri()))
}

/// The table with its log; `None` when there is none.
async fn load(spec: &TableSpec) -> Result<Option<DeltaTable>, TableError> {
    let mut delta = build(spec)?;
    match delta.load().await {
        Ok(()) => Ok(Some(delta)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) if is_missing(&delta).await => {
            tracing::debug!(%error, "no Delta table yet");
            Ok(None)
        }
        Err(error) => Err(TableError::storage("open", &spec.uri())(error)),
    }
}

/// Whether the failure to load means that there is no table, rather than that the storage cannot be reached.
async fn is_missing(delta: &DeltaTable) -> bool {
    matches!(delta.verify_deltatable_existence().await, Ok(false))
}

/// Columns and key of a table that we made, by what its metadata says.
fn own_columns(spec: &TableSpec, state: &DeltaTableState) -> Result<Columns, TableError> {
    let configuration = state.metadata().configuration();
    let not_ours = |found: String| TableError::NotOurs { uri: spec.uri(), found };
    match configuration.get(SOURCE_TOPIC) {
        Some(topic) if *topic == spec.topic => {}
        Some(topic) => return Err(not_ours(format!("it is made from the topic {topic}, not {}", spec.topic))),
        None => return Err(not_ours("its metadata has no tributary.sourceTopic".to_owned())),
    }
    let key: Option<Vec<String>> = configuration.get(KEY_COLUMNS).and_then(|key| serde_json::from_str(key).ok());
    let key = key.ok_or_else(|| not_ours(format!("its metadata has no {KEY_COLUMNS}")))?;
    Columns::new(&state.schema(), key.iter().map(String::as_str))
}

/// The live files with their deleted rows.
async fn read_files(spec: &TableSpec, delta: &DeltaTable, state: &DeltaTableState) -> Result<DataFiles, TableError> {
    let files: Vec<DataFile> = state.log_data().iter().map(|view| DataFile::of_log(&view)).collect();
    let storage = delta.log_store().engine(None).storage_handler();
    let files = stream::iter(files).map(|mut file| {
        let (storage, url) = (Arc::clone(&storage), directory(spec));
        async move {
            if let Some(descriptor) = file.add.deletion_vector.clone() {
                let read = tokio::task::spawn_blocking(move || deletion_vector::read(&descriptor, storage, &url));
                file.deleted = joined(read.await)?;
            }
            Ok(file)
        }
    });
    let wrap = |source| TableError::DeletionVector { doing: "read", uri: spec.uri(), source: Box::new(source) };
    let files: Vec<DataFile> = files.buffered(CONCURRENT_FILES).try_collect().await.map_err(wrap)?;
    let mut all = DataFiles::default();
    for file in files {
        all.insert(file);
    }
    Ok(all)
}

fn joined(
    result: Result<buoyant_kernel::DeltaResult<RoaringTreemap>, tokio::task::JoinError>,
) -> buoyant_kernel::DeltaResult<RoaringTreemap> {
    result.unwrap_or_else(|error| Err(buoyant_kernel::Error::generic(error.to_string())))
}

/// The table's address as a directory, to which relative paths are joined.
fn directory(spec: &TableSpec) -> url::Url {
    let mut url = spec.url.clone();
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

async fn hash_keys(
    reader: &ParquetFile,
    file: &DataFile,
    key: &Schema,
    encoder: &KeyEncoder,
) -> Result<Vec<KeyHash>, TableError> {
    let in_file = |source| TableError::DataFile { path: file.add.path.clone(), source: Box::new(source) };
    let mut hashes = Vec::with_capacity(file.rows as usize);
    for batch in reader.columns(key).await.map_err(in_file)? {
        hashes.extend(encoder.hashes(&key_columns(&batch, file)?)?);
    }
    Ok(hashes)
}

/// The key columns of a batch; those that partition the table have the file's value in every row.
fn key_columns(batch: &RecordBatch, file: &DataFile) -> Result<Vec<ArrayRef>, TableError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let constant = writer::constant(&file.add.partition_values, field, batch.num_rows());
        constant.unwrap_or_else(|| Ok(Arc::clone(column)))
    });
    Ok(columns.collect::<Result<_, _>>()?)
}
