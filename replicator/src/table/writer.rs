//! Rows → Parquet files, one per partition of the table, with the statistics that are safe to prune by.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{OwnedRow, RowConverter, SortField};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;

use super::Clock;
use super::TableError;
use super::columns::Columns;
use super::context::Context;
use super::log::{Add, PartitionValues};
use super::stats::stats_columns;
use super::{dictionaries, partition, stats};

const ROW_GROUP_ROWS: usize = 1_000_000;
/// The least that S3 takes as a part of a file, but for its last one.
const LEAST_PART: usize = 5 << 20;

/// The memory that a file may take while it is written.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// Of a row group, at most.
    pub(super) row_group: usize,
    /// What is gathered until it is put as a part of the file.
    part: usize,
    /// Parts that are put at the same time.
    parts: usize,
}

impl Memory {
    /// Where few files are written at a time.
    pub(super) const PLENTY: Self = Self { row_group: 64 << 20, part: 10 << 20, parts: 8 };

    /// With row groups of at most so many bytes.
    pub(super) fn of(row_group: usize) -> Self {
        Self { row_group, part: row_group.clamp(LEAST_PART, Self::PLENTY.part), parts: 1 }
    }
}

/// The rows of one partition, on their way into a file.
pub(super) struct Partition {
    /// What the log says of the partition.
    pub values: PartitionValues,
    /// The columns that the file holds.
    pub rows: RecordBatch,
    /// Which of the given rows these are, in file order.
    pub at: Vec<u32>,
}

/// Writes one Parquet file, batch by batch.
pub(super) struct FileWriter {
    /// Address of the table.
    uri: Arc<str>,
    path: String,
    values: PartitionValues,
    stats_columns: Vec<arrow_schema::FieldRef>,
    writer: AsyncArrowWriter<BufWriter>,
    memory: Memory,
    clock: Clock,
}

impl FileWriter {
    /// Starts a file of `name` in the folder of its partition, for rows like `first`. Nothing is in the storage before
    /// [`FileWriter::close`].
    pub(super) fn new(
        context: &Context,
        name: &str,
        values: PartitionValues,
        columns: &Columns,
        first: &RecordBatch,
    ) -> Result<Self, TableError> {
        Self::within(Memory::PLENTY, context, (name, values), columns, first)
    }

    /// The same in so much memory.
    pub(super) fn within(
        memory: Memory,
        context: &Context,
        (name, values): (&str, PartitionValues),
        columns: &Columns,
        first: &RecordBatch,
    ) -> Result<Self, TableError> {
        let (uri, path) = (Arc::clone(&context.uri), partition::path(&values, name));
        let schema = first.schema();
        let partition_by: Vec<String> = values.keys().cloned().collect();
        let stats_columns = stats_columns(columns, &partition_by, &context.spec.cluster_by);
        let stats_columns = stats_columns.iter().filter_map(|name| schema.field_with_name(name).ok().cloned());
        let stats_columns = stats_columns.map(Arc::new).collect();
        let writer = start(context, &path, first, memory).map_err(TableError::write_data_file(&uri, &path))?;
        Ok(Self { uri, path, values, stats_columns, writer, memory, clock: context.spec.clock.clone() })
    }

    /// Where the file will be, below the table's folder.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        let written = async {
            self.writer.write(rows).await?;
            if self.writer.memory_size() >= self.memory.row_group { self.writer.flush().await } else { Ok(()) }
        };
        written.await.map_err(TableError::write_data_file(&self.uri, &self.path))
    }

    /// Bytes that the file has so far, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Bytes of memory that it takes, about: the row group that is written, and of those before what is not in the storage yet.
    pub(super) fn memory(&self) -> usize {
        self.writer.memory_size() + self.writer.bytes_written().min(self.memory.part + self.memory.row_group)
    }

    /// Puts the file. What the log says of it.
    pub(super) async fn close(mut self, data_change: bool) -> Result<Add, TableError> {
        let finished = self.writer.finish().await;
        let metadata: ParquetMetaData = finished.map_err(TableError::write_data_file(&self.uri, &self.path))?;
        Ok(Add {
            path: self.path,
            partition_values: self.values,
            size: self.writer.bytes_written() as i64,
            modification_time: self.clock.now_ms(),
            data_change,
            stats: Some(stats::of_file(&metadata, &self.stats_columns)),
            tags: None,
            deletion_vector: None,
        })
    }
}

fn start(
    context: &Context,
    path: &str,
    first: &RecordBatch,
    memory: Memory,
) -> Result<AsyncArrowWriter<BufWriter>, ParquetError> {
    let (store, path) = (Arc::clone(&context.store), Path::parse(path).map_err(external)?);
    let file = BufWriter::with_capacity(store, path, memory.part).with_max_concurrency(memory.parts);
    AsyncArrowWriter::try_new(file, first.schema(), Some(properties(first)?))
}

fn properties(first: &RecordBatch) -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    let without = dictionaries::columns_without(first)?.into_iter();
    let properties = without.fold(properties, |properties, column| {
        properties.set_column_dictionary_enabled(ColumnPath::new(vec![column]), false)
    });
    Ok(properties.build())
}

fn external(error: object_store::path::Error) -> ParquetError {
    ParquetError::External(Box::new(object_store::Error::from(error)))
}

/// Divides rows by the partition that they belong to.
pub(super) fn partitions(rows: &RecordBatch, partition_by: &[String]) -> Result<Vec<Partition>, TableError> {
    let all = 0..rows.num_rows() as u32;
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    if partition_by.is_empty() {
        return Ok(vec![Partition { values: PartitionValues::new(), rows: rows.clone(), at: all.collect() }]);
    }
    let schema = rows.schema();
    let by = partition_by.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<ArrayRef> = by.iter().map(|&column| Arc::clone(rows.column(column))).collect();
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let encoded = RowConverter::new(fields)?.convert_columns(&keys)?;
    let mut groups: HashMap<OwnedRow, usize> = HashMap::new();
    let mut members: Vec<Vec<u32>> = Vec::new();
    for row in all {
        let group = *groups.entry(encoded.row(row as usize).owned()).or_insert(members.len());
        if group == members.len() {
            members.push(Vec::new());
        }
        members[group].push(row);
    }
    let (file_schema, file_columns) = without(&schema, &by);
    members.into_iter().map(|at| one(rows, (&file_schema, &file_columns), partition_by, at)).collect()
}

fn one(
    rows: &RecordBatch,
    (file_schema, file_columns): (&SchemaRef, &[usize]),
    partition_by: &[String],
    at: Vec<u32>,
) -> Result<Partition, TableError> {
    let own = take_record_batch(rows, &UInt32Array::from(at.clone()))?;
    let value = |name: &String| {
        let column = own.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        Ok((name.clone(), partition::value(name, column)?))
    };
    let values = partition_by.iter().map(value).collect::<Result<_, TableError>>()?;
    let columns = file_columns.iter().map(|&column| Arc::clone(own.column(column))).collect();
    Ok(Partition { values, rows: RecordBatch::try_new(Arc::clone(file_schema), columns)?, at })
}

/// The columns that a data file holds: those that do not partition the table.
fn without(schema: &Schema, columns: &[usize]) -> (SchemaRef, Vec<usize>) {
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|column| !columns.contains(column)).collect();
    let fields: Vec<_> = kept.iter().map(|&column| Arc::clone(&schema.fields()[column])).collect();
    (Arc::new(Schema::new(fields)), kept)
}
