//! Data files written anew: their live rows into other files, in their order, or sorted by the columns of `clusterBy`.

use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use arrow_row::{RowConverter, SortField};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use futures::{StreamExt, pin_mut};
use roaring::RoaringTreemap;
use uuid::Uuid;

use super::TableError;
use super::change::WrittenFile;
use super::columns::Columns;
use super::context::Context;
use super::data_file::DataFile;
use super::log::PartitionValues;
use super::writer::{FileWriter, Memory};
use crate::change::{KeyEncoder, KeyHash};

/// A file that was written, and which rows of the sources it holds, in order: the number of the source, and the rank of
/// the row among those of the source that were live.
pub(super) struct Rewritten {
    pub file: WrittenFile,
    pub origins: Origins,
}

/// Where the rows of a rewritten file come from.
pub(super) enum Origins {
    /// From one row of all live rows of all sources, in order, to another.
    Span(std::ops::Range<u64>),
    /// From these, in this order.
    Sorted(Vec<u64>),
}

/// The live rows of `file` that are not in `deleted`, in a file of their own.
pub(super) async fn without(
    context: &Context,
    columns: &Columns,
    file: &DataFile,
    deleted: &RoaringTreemap,
) -> Result<WrittenFile, TableError> {
    let source = DataFile { deleted: deleted.clone(), ..file.clone() };
    let mut output = Output::new(context, columns, file.add.partition_values.clone(), true)?;
    output.append(&source, None).await?;
    match output.finish().await?.pop() {
        Some(written) => Ok(written.file),
        None => Err(TableError::Internal("a file without rows was to be written anew".to_owned())),
    }
}

/// The live rows of `sources`, all of one partition, in as few files as their size allows.
pub(super) async fn together(
    context: &Context,
    columns: &Columns,
    sources: &[Arc<DataFile>],
) -> Result<Vec<Rewritten>, TableError> {
    let Some(first) = sources.first() else { return Ok(Vec::new()) };
    let target = context.spec.maintenance.target_file_bytes;
    let mut output = Output::new(context, columns, first.add.partition_values.clone(), false)?;
    for source in sources {
        output.append(source, Some(target)).await?;
    }
    output.finish().await
}

/// Rows on their way into files.
pub(super) struct Output {
    context: Context,
    columns: Columns,
    encoder: KeyEncoder,
    values: PartitionValues,
    /// Columns that a file holds.
    schema: arrow_schema::SchemaRef,
    cluster_by: Vec<usize>,
    data_change: bool,
    memory: Memory,
    /// Rows that wait to be sorted.
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    /// Rows that came before those that wait.
    passed: u64,
    open: Option<Open>,
    done: Vec<Rewritten>,
}

struct Open {
    writer: FileWriter,
    /// Those of the rows, each with its number.
    keys: Vec<(KeyHash, u32)>,
    origins: Origins,
}

impl Output {
    /// Files of one partition. With `data_change` its rows are new in the table.
    pub(super) fn new(
        context: &Context,
        columns: &Columns,
        values: PartitionValues,
        data_change: bool,
    ) -> Result<Self, TableError> {
        let fields = columns.arrow().fields().iter().filter(|field| !values.contains_key(field.name()));
        let schema = arrow_schema::Schema::new(fields.cloned().collect::<Vec<_>>());
        let named = context.spec.cluster_by.iter().filter_map(|name| schema.index_of(name).ok());
        Ok(Self {
            context: context.clone(),
            columns: columns.clone(),
            encoder: columns.key_encoder()?,
            values,
            cluster_by: named.collect(),
            schema: Arc::new(schema),
            data_change,
            memory: Memory::PLENTY,
            waiting: Vec::new(),
            waiting_bytes: 0,
            passed: 0,
            open: None,
            done: Vec::new(),
        })
    }

    /// The same in so much memory: as many bytes as a row group has are sorted at a time.
    pub(super) fn within(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        let open = |open: &Open| open.writer.memory() + size_of_val(open.keys.as_slice());
        self.waiting_bytes + self.open.as_ref().map_or(0, open)
    }

    /// Takes the live rows of a file. A file of the output is closed when it has `target` bytes.
    async fn append(&mut self, source: &DataFile, target: Option<u64>) -> Result<(), TableError> {
        let failed = || TableError::read_data_file(&self.context.uri, &source.add.path);
        let file = self.context.parquet_file(&source.add);
        let batches = file.columns(Arc::clone(self.columns.arrow())).await.map_err(failed())?;
        pin_mut!(batches);
        let mut first = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(TableError::read_data_file(&self.context.uri, &source.add.path))?;
            let rows = first..first + batch.num_rows() as u64;
            first = rows.end;
            let live = live_rows(&source.deleted, rows);
            let batch = if live.len() == batch.num_rows() { batch } else { take_record_batch(&batch, &live)? };
            self.push(batch, target).await?;
        }
        Ok(())
    }

    /// Takes rows, in the columns of the table. A file is closed when it has `target` bytes.
    pub(super) async fn push(&mut self, batch: RecordBatch, target: Option<u64>) -> Result<(), TableError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.cluster_by.is_empty() {
            let origins = self.passed..self.passed + batch.num_rows() as u64;
            self.passed = origins.end;
            return self.write(&batch, Origins::Span(origins), target).await;
        }
        self.waiting_bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.waiting_bytes >= self.memory.row_group { self.sort_waiting(target).await } else { Ok(()) }
    }

    /// Writes what waits, sorted.
    async fn sort_waiting(&mut self, target: Option<u64>) -> Result<(), TableError> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let rows = concat_batches(&first.schema(), &std::mem::take(&mut self.waiting))?;
        self.waiting_bytes = 0;
        let order = self.order(&rows)?;
        let sorted = take_record_batch(&rows, &UInt32Array::from(order.clone()))?;
        let origins = order.into_iter().map(|row| self.passed + u64::from(row)).collect();
        self.passed += rows.num_rows() as u64;
        self.write(&sorted, Origins::Sorted(origins), target).await
    }

    fn order(&self, rows: &RecordBatch) -> Result<Vec<u32>, TableError> {
        let by: Vec<_> = self.context.spec.cluster_by.iter().filter_map(|name| rows.column_by_name(name)).collect();
        let fields = by.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let columns: Vec<_> = by.into_iter().cloned().collect();
        let encoded = RowConverter::new(fields)?.convert_columns(&columns)?;
        let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
        order.sort_by(|left, right| encoded.row(*left as usize).cmp(&encoded.row(*right as usize)));
        Ok(order)
    }

    async fn write(&mut self, batch: &RecordBatch, origins: Origins, target: Option<u64>) -> Result<(), TableError> {
        let key: Vec<_> = self.columns.key().iter().map(|&column| Arc::clone(batch.column(column))).collect();
        let keys = self.encoder.hashes(&key)?;
        let held = batch.project(&self.held(batch)?)?;
        let mut open = match self.open.take() {
            Some(mut open) => {
                open.origins.extend(origins);
                open
            }
            None => Open { writer: self.start(&held)?, keys: Vec::new(), origins },
        };
        let first = open.keys.len() as u32;
        open.keys.extend(keys.into_iter().zip(first..));
        open.writer.write(&held).await?;
        let is_full = target.is_some_and(|target| open.writer.bytes() as u64 >= target);
        self.open = Some(open);
        if is_full { self.close().await } else { Ok(()) }
    }

    /// Indices of the columns that a file holds.
    fn held(&self, batch: &RecordBatch) -> Result<Vec<usize>, TableError> {
        let schema = batch.schema();
        Ok(self.schema.fields().iter().map(|field| schema.index_of(field.name())).collect::<Result<_, _>>()?)
    }

    fn start(&self, first: &RecordBatch) -> Result<FileWriter, TableError> {
        let name = format!("part-{}.zstd.parquet", Uuid::new_v4());
        let values = self.values.clone();
        FileWriter::within(self.memory, &self.context, (&name, values), &self.columns, first)
    }

    async fn close(&mut self) -> Result<(), TableError> {
        let Some(Open { writer, keys, origins }) = self.open.take() else { return Ok(()) };
        let add = writer.close(self.data_change).await?;
        let index = self.context.index(&self.columns)?;
        let path = add.path.clone();
        let keys = self.context.blocking(move |_| Ok(index.write(&path, keys)?)).await?;
        self.context.refuse_tie(&self.columns, &add, &keys).await?;
        self.done.push(Rewritten { file: WrittenFile { add, keys: Arc::new(keys) }, origins });
        Ok(())
    }

    /// Closes the last file. All that were written.
    pub(super) async fn finish(mut self) -> Result<Vec<Rewritten>, TableError> {
        self.sort_waiting(None).await?;
        self.close().await?;
        Ok(self.done)
    }
}

impl Origins {
    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Span(span), Self::Span(more)) => span.end = more.end,
            (Self::Sorted(rows), Self::Sorted(more)) => rows.extend(more),
            // One output is either sorted or not.
            (Self::Span(_), Self::Sorted(_)) | (Self::Sorted(_), Self::Span(_)) => {}
        }
    }
}

/// Positions within a batch of the `rows` that are not deleted.
fn live_rows(deleted: &RoaringTreemap, rows: std::ops::Range<u64>) -> UInt64Array {
    if deleted.range_cardinality(rows.clone()) == 0 {
        return (0..rows.end - rows.start).collect::<Vec<_>>().into();
    }
    let first = rows.start;
    rows.filter(|row| !deleted.contains(*row)).map(|row| row - first).collect::<Vec<_>>().into()
}
