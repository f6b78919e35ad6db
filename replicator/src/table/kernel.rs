//! The Delta kernel over our storage: it reads snapshots of the log and writes checkpoints of it.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, StructArray};
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use buoyant_kernel::snapshot::SnapshotRef;
use buoyant_kernel::{DeltaResult, Engine, Error, Snapshot, Version};
use buoyant_kernel_engine::DefaultEngineBuilder;
use buoyant_kernel_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::ObjectStore;
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use super::log::{Add, DeletionVector, Metadata, PartitionValues, Protocol};

/// An engine of the kernel that reads and writes `root`. Its calls block.
pub(super) fn engine(root: Arc<dyn ObjectStore>) -> Result<Arc<dyn Engine>, std::io::Error> {
    let executor = TokioMultiThreadExecutor::new(handle()?);
    Ok(Arc::new(DefaultEngineBuilder::new(root).with_task_executor(Arc::new(executor)).build()))
}

/// The kernel wants several threads; where the program has one, it gets some of its own.
fn handle() -> Result<Handle, std::io::Error> {
    static OWN: Mutex<Option<Runtime>> = Mutex::new(None);
    if let Ok(handle) = Handle::try_current()
        && handle.runtime_flavor() != RuntimeFlavor::CurrentThread
    {
        return Ok(handle);
    }
    let mut own = OWN.lock().map_err(|_| std::io::Error::other("no runtime"))?;
    if let Some(runtime) = own.as_ref() {
        return Ok(runtime.handle().clone());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(own.insert(runtime).handle().clone())
}

/// A version of the table as the log has it.
pub(super) struct LogState {
    pub version: u64,
    pub protocol: Protocol,
    pub metadata: Metadata,
    pub adds: Vec<Add>,
    snapshot: SnapshotRef,
    engine: Arc<dyn Engine>,
}

impl LogState {
    /// The table at `url` at `version`, or as it is now; `None` when there is none. Blocks.
    pub(super) fn read(engine: Arc<dyn Engine>, url: &str, version: Option<Version>) -> DeltaResult<Option<Self>> {
        let Some(mut state) = Self::read_without_files(engine, url, version)? else { return Ok(None) };
        state.adds = adds(&state.snapshot, state.engine.as_ref())?;
        Ok(Some(state))
    }

    /// The same with no file: what a table is, whatever it weighs. Blocks.
    pub(super) fn read_without_files(
        engine: Arc<dyn Engine>,
        url: &str,
        version: Option<Version>,
    ) -> DeltaResult<Option<Self>> {
        let builder = Snapshot::builder_for(url);
        let builder = match version {
            Some(version) => builder.at_version(version),
            None => builder,
        };
        let snapshot = match builder.build(engine.as_ref()) {
            Ok(snapshot) => snapshot,
            Err(error) if is_no_table(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let configuration = snapshot.table_configuration();
        let protocol = serde_json::from_value(serde_json::to_value(configuration.protocol())?)?;
        let metadata = serde_json::from_value(serde_json::to_value(configuration.metadata())?)?;
        let adds = Vec::new();
        Ok(Some(Self { version: snapshot.version(), protocol, metadata, adds, snapshot, engine }))
    }

    /// The version of an application's last transaction. Blocks: it may read the log.
    pub(super) fn transaction(&self, app_id: &str) -> DeltaResult<Option<i64>> {
        self.snapshot.get_app_id_version(app_id, self.engine.as_ref())
    }
}

/// Writes a checkpoint of `version`, and says how large it is. Blocks.
pub(super) fn checkpoint(engine: &dyn Engine, url: &str, version: Version) -> DeltaResult<()> {
    let snapshot = Snapshot::builder_for(url).at_version(version).build(engine)?;
    snapshot.checkpoint(engine, None).map(drop)
}

fn is_no_table(error: &Error) -> bool {
    match error {
        Error::Backtraced { source, .. } => is_no_table(source),
        Error::FileNotFound(_)
        | Error::MissingVersion
        | Error::InvalidTableLocation(_)
        | Error::ObjectStore(object_store::Error::NotFound { .. }) => true,
        Error::Generic(text) => text.contains("No files in log segment"),
        _ => false,
    }
}

fn adds(snapshot: &SnapshotRef, engine: &dyn Engine) -> DeltaResult<Vec<Add>> {
    let scan = Arc::clone(snapshot).scan_builder().build()?;
    let mut adds = Vec::new();
    for batch in scan.scan_metadata(engine)? {
        let files = batch?.scan_files;
        let selected = files.selection_vector().to_vec();
        let data = files.data().any_ref().downcast_ref::<ArrowEngineData>();
        let batch = data.map(ArrowEngineData::record_batch).ok_or_else(|| Error::generic("no Arrow data"))?;
        let files = Files::of(batch).ok_or_else(|| Error::generic("the kernel's list of files has other columns"))?;
        let rows = (0..batch.num_rows()).filter(|row| selected.get(*row).copied().unwrap_or(true));
        adds.extend(rows.map(|row| files.add(row)));
    }
    Ok(adds)
}

/// The columns in which the kernel lists files (`scan_row_schema`).
struct Files<'a> {
    batch: &'a RecordBatch,
    vectors: &'a StructArray,
    partition_values: &'a arrow_array::MapArray,
}

impl<'a> Files<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
        Some(Self {
            batch,
            vectors: batch.column_by_name("deletionVector")?.as_struct_opt()?,
            partition_values: constants.column_by_name("partitionValues")?.as_map_opt()?,
        })
    }

    fn add(&self, row: usize) -> Add {
        let path = text(self.batch.column_by_name("path"), row).unwrap_or_default();
        Add {
            path: percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned(),
            partition_values: self.partition_values(row),
            size: long(self.batch.column_by_name("size"), row).unwrap_or_default(),
            modification_time: long(self.batch.column_by_name("modificationTime"), row).unwrap_or_default(),
            data_change: true,
            stats: text(self.batch.column_by_name("stats"), row),
            tags: None,
            deletion_vector: self.deletion_vector(row),
        }
    }

    fn deletion_vector(&self, row: usize) -> Option<DeletionVector> {
        let column = |name: &str| self.vectors.column_by_name(name);
        Some(DeletionVector {
            storage_type: text(column("storageType"), row)?,
            path_or_inline_dv: text(column("pathOrInlineDv"), row)?,
            offset: int(column("offset"), row),
            size_in_bytes: int(column("sizeInBytes"), row)?,
            cardinality: long(column("cardinality"), row)?,
        })
    }

    fn partition_values(&self, row: usize) -> PartitionValues {
        let values = self.partition_values;
        let (from, to) = (values.value_offsets()[row] as usize, values.value_offsets()[row + 1] as usize);
        let pair = |at| Some((text(Some(values.keys()), at)?, text(Some(values.values()), at)));
        if values.is_null(row) { PartitionValues::new() } else { (from..to).filter_map(pair).collect() }
    }
}

fn text(column: Option<&arrow_array::ArrayRef>, row: usize) -> Option<String> {
    let column = column?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn long(column: Option<&arrow_array::ArrayRef>, row: usize) -> Option<i64> {
    let column = column?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn int(column: Option<&arrow_array::ArrayRef>, row: usize) -> Option<i32> {
    let column = column?.as_primitive_opt::<Int32Type>()?;
    column.is_valid(row).then(|| column.value(row))
}
