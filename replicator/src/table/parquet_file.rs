//! Reads some columns, or some rows, of a data file: range requests only for what is asked.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

const BATCH_ROWS: usize = 65_536;

/// A data file in the storage.
#[derive(Clone)]
pub(super) struct ParquetFile {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub size: u64,
}

impl ParquetFile {
    /// These columns of all rows, in file order.
    pub(super) async fn columns(&self, columns: &Schema) -> Result<Vec<RecordBatch>> {
        self.read(columns, None).await
    }

    /// The rows at `positions` (ascending, without repeats) as one batch.
    pub(super) async fn rows(&self, columns: &Schema, positions: &[u32]) -> Result<RecordBatch> {
        let batches = self.read(columns, Some(select(positions))).await?;
        Ok(concat_batches(&Arc::new(columns.clone()), &batches)?)
    }

    async fn read(&self, columns: &Schema, selection: Option<RowSelection>) -> Result<Vec<RecordBatch>> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(self.clone(), options).await?;
        let in_file = columns.fields().iter().filter_map(|field| builder.schema().index_of(field.name()).ok());
        let mask = ProjectionMask::roots(builder.parquet_schema(), in_file.collect::<Vec<_>>());
        let mut builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let batches: Vec<RecordBatch> = builder.build()?.try_collect().await?;
        batches.iter().map(|batch| in_types_of(batch, columns)).collect()
    }
}

/// The batch with the types of `columns`; a column that the file does not have is null.
fn in_types_of(batch: &RecordBatch, columns: &Schema) -> Result<RecordBatch> {
    let cast = |field: &Arc<arrow_schema::Field>| -> Result<ArrayRef> {
        match batch.column_by_name(field.name()) {
            Some(column) => Ok(arrow_cast::cast(column, field.data_type())?),
            None => Ok(arrow_array::new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns_cast = columns.fields().iter().map(cast).collect::<Result<_>>()?;
    Ok(RecordBatch::try_new(Arc::new(columns.clone()), columns_cast)?)
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
        self.store.get_range(&self.path, range).map_err(storage).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).map_err(storage).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(64 * 1024));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}
