//! New rows → Parquet files, one per partition of the table, with the statistics that are safe to prune by.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{OwnedRow, RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use buoyant_kernel::expressions::Scalar;
use buoyant_kernel::table_properties::DataSkippingNumIndexedCols;
use deltalake::DeltaTableError;
use deltalake::datafile::writer::{PartitionWriter, PartitionWriterConfig};
use deltalake::kernel::Add;
use deltalake::kernel::scalars::ScalarExt;
use indexmap::IndexMap;
use object_store::ObjectStore;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::Columns;

const ROW_GROUP_ROWS: usize = 1_000_000;

/// A data file that was written, and which of the given rows it holds, in file order.
pub(super) struct WrittenFile {
    pub add: Add,
    pub rows: Vec<u32>,
}

/// Writes rows; each partition becomes one file, in the order of the rows.
pub(super) async fn write(
    store: Arc<dyn ObjectStore>,
    columns: &Columns,
    partition_by: &[String],
    rows: &RecordBatch,
) -> Result<Vec<WrittenFile>, DeltaTableError> {
    let mut written = Vec::new();
    for partition in partitions(rows, partition_by)? {
        let config = PartitionWriterConfig::try_new(
            partition.rows.schema(),
            partition.values,
            Some(properties()?),
            None,
            None,
            None,
            None,
        )?;
        let stats = DataSkippingNumIndexedCols::NumColumns(0);
        let stats_columns = Some(stats_columns(columns, partition_by));
        let mut writer = PartitionWriter::try_with_config(Arc::clone(&store), config, stats, stats_columns)?;
        writer.write(&partition.rows).await?;
        let adds = writer.close().await?;
        written.extend(adds.into_iter().map(|add| WrittenFile { add, rows: partition.at.clone() }));
    }
    Ok(written)
}

fn properties() -> Result<WriterProperties, DeltaTableError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build())
}

/// The key columns by which files may be skipped. Bounds of decimals go through floating point on their way into the
/// log and may end up inside the true range; floats have values without order.
pub(super) fn stats_columns(columns: &Columns, partition_by: &[String]) -> Vec<String> {
    let keys = columns.key().iter().map(|&column| columns.arrow().field(column));
    let safe = keys.filter(|field| {
        matches!(
            field.data_type(),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Utf8
        ) && !partition_by.contains(field.name())
    });
    safe.map(|field| field.name().clone()).collect()
}

struct Partition {
    values: IndexMap<String, Scalar>,
    rows: RecordBatch,
    at: Vec<u32>,
}

fn partitions(rows: &RecordBatch, partition_by: &[String]) -> Result<Vec<Partition>, ArrowError> {
    let all = 0..rows.num_rows() as u32;
    if partition_by.is_empty() {
        return Ok(vec![Partition { values: IndexMap::new(), rows: rows.clone(), at: all.collect() }]);
    }
    let schema = rows.schema();
    let by = partition_by.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<ArrayRef> = by.iter().map(|&column| Arc::clone(rows.column(column))).collect();
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let encoded = RowConverter::new(fields)?.convert_columns(&keys)?;
    let mut groups: IndexMap<OwnedRow, Vec<u32>> = IndexMap::new();
    for row in all {
        groups.entry(encoded.row(row as usize).owned()).or_default().push(row);
    }
    let (file_schema, file_columns) = without(&schema, &by);
    groups.into_values().map(|at| partition(rows, (&file_schema, &file_columns), partition_by, at)).collect()
}

fn partition(
    rows: &RecordBatch,
    (file_schema, file_columns): (&SchemaRef, &[usize]),
    partition_by: &[String],
    at: Vec<u32>,
) -> Result<Partition, ArrowError> {
    let own = take_record_batch(rows, &UInt32Array::from(at.clone()))?;
    let value = |name: &String| {
        let column = own.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        let value = Scalar::from_array(column.as_ref(), 0);
        let unfit = || ArrowError::SchemaError(format!("column {name} cannot partition a table"));
        Ok((name.clone(), value.ok_or_else(unfit)?))
    };
    let values = partition_by.iter().map(value).collect::<Result<_, ArrowError>>()?;
    let columns = file_columns.iter().map(|&column| Arc::clone(own.column(column))).collect();
    Ok(Partition { values, rows: RecordBatch::try_new(Arc::clone(file_schema), columns)?, at })
}

/// The columns that a data file holds: those that do not partition the table.
fn without(schema: &Schema, columns: &[usize]) -> (SchemaRef, Vec<usize>) {
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|column| !columns.contains(column)).collect();
    let fields: Vec<_> = kept.iter().map(|&column| Arc::clone(&schema.fields()[column])).collect();
    (Arc::new(Schema::new(fields)), kept)
}

/// The values that a partition gives to columns which are not in its files, `rows` times each.
pub(super) fn constant(
    values: &HashMap<String, Option<String>>,
    field: &arrow_schema::Field,
    rows: usize,
) -> Option<Result<ArrayRef, ArrowError>> {
    let text = values.get(field.name())?.as_deref();
    let texts = arrow_array::StringArray::from(vec![text; rows]);
    Some(arrow_cast::cast(&texts, field.data_type()))
}
