//! Reads some columns, or some rows, of a data file: range requests for the pages that are asked for and no others.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use futures::future::{self, BoxFuture};
use futures::{FutureExt, Stream, StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::log::PartitionValues;
use super::partition;

const BATCH_ROWS: usize = 8192;
/// A file of at most this size is fetched by one request.
const WHOLE: u64 = 1 << 20;

/// A data file in the storage.
#[derive(Clone)]
pub(super) struct ParquetFile {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub size: u64,
    pub partition_values: PartitionValues,
    /// The whole file, once it was fetched.
    pub bytes: Option<Bytes>,
}

impl ParquetFile {
    /// Rows that the file holds, by its footer.
    pub(super) async fn rows(&self) -> Result<u64> {
        let metadata = self.clone().get_metadata(None).await?;
        Ok(metadata.file_metadata().num_rows() as u64)
    }

    /// These columns of all rows, in file order. A column that the file does not have is null, or its partition's value.
    pub(super) async fn columns(
        &self,
        columns: SchemaRef,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
        self.read(columns, None).await
    }

    /// The rows at `positions` (ascending, without repeats) as one batch.
    pub(super) async fn rows_at(&self, columns: SchemaRef, positions: &[u32]) -> Result<RecordBatch> {
        let batches: Vec<_> = self.read(Arc::clone(&columns), Some(select(positions))).await?.try_collect().await?;
        Ok(concat_batches(&columns, &batches)?)
    }

    async fn read(
        &self,
        columns: SchemaRef,
        selection: Option<RowSelection>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
        let mut file = self.clone();
        if self.size <= WHOLE {
            let whole = self.store.get(&self.path).and_then(object_store::GetResult::bytes);
            file.bytes = Some(whole.await.map_err(storage)?);
        }
        let pages = if selection.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(pages);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(file, options).await?;
        let in_file = columns.fields().iter().filter_map(|field| builder.schema().index_of(field.name()).ok());
        let mask = ProjectionMask::roots(builder.parquet_schema(), in_file.collect::<Vec<_>>());
        let mut builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let values = self.partition_values.clone();
        let batches = builder.build()?;
        Ok(batches.map(move |batch| in_types_of(&batch?, &columns, &values)))
    }
}

/// The batch with the types of `columns`.
fn in_types_of(batch: &RecordBatch, columns: &SchemaRef, values: &PartitionValues) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let cast = |field: &Arc<arrow_schema::Field>| -> Result<ArrayRef> {
        if let Some(constant) = partition::constant(values, field, rows) {
            return Ok(constant?);
        }
        match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => Ok(arrow_cast::cast(column, field.data_type())?),
            None => Ok(arrow_array::new_null_array(field.data_type(), rows)),
        }
    };
    let cast = columns.fields().iter().map(cast).collect::<Result<_>>()?;
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(columns), cast, &options)?)
}

fn select(positions: &[u32]) -> RowSelection {
    let mut selectors = Vec::with_capacity(positions.len() * 2);
    let mut next = 0;
    for &position in positions {
        let position = position as usize;
        if position > next {
            selectors.push(RowSelector::skip(position - next));
        }
        selectors.push(RowSelector::select(1));
        next = position + 1;
    }
    RowSelection::from(selectors)
}

fn storage(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ParquetFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        match &self.bytes {
            Some(bytes) => future::ready(part(bytes, &range)).boxed(),
            None => self.store.get_range(&self.path, range).map_err(storage).boxed(),
        }
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        match &self.bytes {
            Some(bytes) => future::ready(ranges.iter().map(|range| part(bytes, range)).collect()).boxed(),
            None => async move { self.store.get_ranges(&self.path, &ranges).map_err(storage).await }.boxed(),
        }
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let pages = options.map_or(PageIndexPolicy::Skip, ArrowReaderOptions::column_index_policy);
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(64 * 1024)).with_page_index_policy(pages);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn part(bytes: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let (from, to) = (range.start as usize, range.end as usize);
    if from > to || to > bytes.len() {
        return Err(ParquetError::EOF(format!("bytes {from} to {to} of {}", bytes.len())));
    }
    Ok(bytes.slice(from..to))
}
