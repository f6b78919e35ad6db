//! Opens a table from its Delta log alone: files, deleted rows, keys, progress.

use std::collections::HashMap;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::columns::Columns;
use super::context::Context;
use super::create::{self, SOURCE_TOPIC};
use super::data_file::DataFiles;
use super::foreign::{self, LiveFile};
use super::kernel::LogState;
use super::log::{Add, ENGINE, Entry, FOLDER, Landing, Metadata};
use super::state::{Known, State};
use super::{KeyedTable, TableError, TableSpec, progress, protocol};
use crate::change::{PartitionProgress, RowSchema};

impl KeyedTable {
    /// Opens the table; `None` when there is none yet. A table that this replication did not make is an error.
    pub async fn open(spec: &TableSpec) -> Result<Option<Self>, TableError> {
        let context = Context::new(spec)?;
        let Some(log) = read(&context).await? else { return Ok(None) };
        let columns = columns_to_write(&context, &log)?;
        let progress = recent_progress(&context, log.version).await?;
        let topic = spec.topic.clone();
        let (log, progress) = match progress {
            Some(progress) => (log, progress),
            None => context.blocking(move |context| progress_of(&context, &topic, log)).await?,
        };
        // The log as one commit onto an empty table: files are taken in as those of any other commit.
        let entry = Entry { version: log.version, adds: log.adds, ..Entry::default() };
        let mut state = State {
            version: log.version,
            protocol: log.protocol,
            metadata: log.metadata,
            columns,
            files: DataFiles::default(),
            progress,
        };
        spec.opening.begin(entry.adds.len());
        let adoption = state.resolve(&context, entry, Known::default()).await?;
        state.apply(&context, adoption);
        let index = context.index(&state.columns)?;
        index.keep_only(state.files.iter().map(|(_, file)| (file.add.path.as_str(), file.rows)))?;
        Ok(Some(Self::of(context, state)))
    }

    /// The version of the table that is there; `None` when there is none. One that this replication did not make, or whose
    /// rows somebody else changed, is an error, as for [`KeyedTable::open`], but no row is read.
    pub async fn existing_version(spec: &TableSpec) -> Result<Option<u64>, TableError> {
        let context = Context::new(spec)?;
        let Some(log) = read(&context).await? else { return Ok(None) };
        columns_to_write(&context, &log)?;
        recent_progress(&context, log.version).await?;
        Ok(Some(log.version))
    }

    /// Creates the table, without rows, for these columns of the source.
    pub async fn create(spec: &TableSpec, source: &RowSchema) -> Result<Self, TableError> {
        let context = Context::new(spec)?;
        let columns = Columns::of_source(source)?;
        let mut entry = Entry {
            version: 0,
            protocol: Some(protocol::new(spec.writes, columns.has_timestamp_ntz()?)),
            metadata: Some(create::metadata(spec, &columns)?),
            ..Entry::default()
        };
        for (name, value) in [("operation", "CREATE TABLE"), ("engineInfo", ENGINE)] {
            entry.info.insert(name.to_owned(), value.into());
        }
        entry.info.insert("timestamp".to_owned(), spec.clock.now_ms().into());
        entry.info.insert("operationParameters".to_owned(), serde_json::json!({}));
        let id = uuid::Uuid::new_v4().to_string();
        entry.identify(&id);
        let bytes = entry.to_json().map_err(create::unexpected)?;
        match context.log.land(0, &id, bytes).await.map_err(context.storage("create"))? {
            Landing::Landed => Ok(Self::of(context.clone(), new(entry, columns)?)),
            // Somebody else was faster, or an earlier process of ours whose answer came late.
            Landing::Taken(_) => {
                let table = Self::open(spec).await?.ok_or_else(|| unseen(&context))?;
                table.refuse_second_writer_of(&PartitionProgress::new())?;
                Ok(table)
            }
        }
    }
}

/// The table of the commit that has created it.
fn new(entry: Entry, source: Columns) -> Result<State, TableError> {
    let metadata = entry.metadata.unwrap_or_default();
    Ok(State {
        version: entry.version,
        protocol: entry.protocol.unwrap_or_default(),
        columns: Columns::of_metadata(&metadata)?.unwrap_or(source),
        metadata,
        files: DataFiles::default(),
        progress: PartitionProgress::new(),
    })
}

/// There is a log, and no version that can be read: the storage does not list all of it yet, or somebody removed some of it.
fn unseen(context: &Context) -> TableError {
    let source = "its log is there, but the storage lists no version of it that can be read".into();
    context.storage("open")(object_store::Error::Generic { store: "Delta log", source })
}

async fn read(context: &Context) -> Result<Option<LogState>, TableError> {
    let read = context.blocking(|context| {
        let state = LogState::read(context.engine.clone(), context.directory().as_str(), None);
        state.map_err(TableError::log("open", &context.uri))
    });
    match read.await? {
        // What the kernel does not find may only be missing: a table is never made on top of another one's log.
        None if has_log(context).await? => Err(unseen(context)),
        state => Ok(state),
    }
}

/// Whether there is any version of a log.
async fn has_log(context: &Context) -> Result<bool, TableError> {
    let mut listed = context.store.list(Some(&Path::from(FOLDER)));
    match listed.try_next().await {
        Ok(found) => Ok(found.is_some()),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(context.storage("open")(error)),
    }
}

/// What the last commit of ours says of the progress. Who changed rows since then, while nobody of us looked, made the
/// table differ from its source: that is refused, unless it was undone.
async fn recent_progress(context: &Context, newest: u64) -> Result<Option<PartitionProgress>, TableError> {
    let mut next = Some(newest);
    while let Some(version) = next {
        let Some(entry) = context.log.read(version).await.map_err(context.storage("open"))? else { break };
        if let Some(progress) = progress::of_txns(&context.spec.topic, &entry.txns) {
            return Ok(Some(progress));
        }
        let restored = entry.restored_version().filter(|restored| *restored < version);
        if restored.is_none() && (entry.changes_data() || !keeps_rows(context, &entry).await?) {
            return Err(context.foreign_change(&entry));
        }
        next = restored.or_else(|| version.checked_sub(1));
    }
    Ok(None)
}

/// A commit that says that it only moves rows does so, by the version before it; where the log was cleaned up to it, it
/// is believed.
async fn keeps_rows(context: &Context, entry: &Entry) -> Result<bool, TableError> {
    if entry.is_ours() || (entry.removes.is_empty() && entry.adds.is_empty()) {
        return Ok(true);
    }
    let Some(version) = entry.version.checked_sub(1) else { return Ok(true) };
    let before = context.blocking(move |context| {
        let state = LogState::read(context.engine.clone(), context.directory().as_str(), Some(version));
        state.map_err(TableError::log("open", &context.uri))
    });
    let Some(before) = before.await? else {
        let is_there = context.log.read(version).await.map_err(context.storage("open"))?.is_some();
        return if is_there { Err(unseen(context)) } else { Ok(true) };
    };
    let mut touched: HashMap<&str, (&Add, u64)> = HashMap::new();
    for add in before.adds.iter().filter(|add| entry.touches(&add.path)) {
        touched.insert(&add.path, (add, foreign::live_rows(context, add).await?));
    }
    let live = |path: &str| {
        let (add, rows) = touched.get(path)?;
        Some(LiveFile { vector: add.deletion_vector.as_ref(), rows: *rows })
    };
    foreign::keeps_rows(context, entry, live).await
}

fn progress_of(context: &Context, topic: &str, log: LogState) -> Result<(LogState, PartitionProgress), TableError> {
    let progress = progress::read(topic, |app_id| log.transaction(app_id));
    Ok((log, progress.map_err(TableError::log("open", &context.uri))?))
}

/// The columns of a table that is ours, that we can write, and that has what the resource asks for.
fn columns_to_write(context: &Context, log: &LogState) -> Result<Columns, TableError> {
    let columns = own_columns(&context.spec, &log.metadata)?;
    protocol::check(&log.protocol, &log.metadata, &context.uri)?;
    create::check_partition_by(&context.spec, &log.metadata)?;
    create::check_cluster_by(&context.spec, &columns)?;
    Ok(columns)
}

/// Columns and key of a table that we made, by what its metadata says.
pub(super) fn own_columns(spec: &TableSpec, metadata: &Metadata) -> Result<Columns, TableError> {
    let not_ours = |found: String| TableError::NotOurs { uri: spec.uri(), found };
    match metadata.configuration.get(SOURCE_TOPIC) {
        Some(topic) if *topic == spec.topic => {}
        Some(topic) => {
            return Err(not_ours(format!(
                "it is made from the topic {topic}; metadata.namespace, metadata.name and the table's name say {}",
                spec.topic
            )));
        }
        None => return Err(not_ours(format!("its metadata has no {SOURCE_TOPIC}"))),
    }
    Columns::of_metadata(metadata)?.ok_or_else(|| not_ours(format!("its metadata has no {}", create::KEY_COLUMNS)))
}
