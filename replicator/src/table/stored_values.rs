//! Values of unchanged TOAST columns, read from the rows that still hold them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::data_file::{FileId, RowLocation};
use super::{KeyedTable, TableError};
use crate::change::{Folded, KeyHash, StoredValue};

/// What a value is taken for before one was read: large, so that the first commit that reads some reads few.
pub(super) const UNKNOWN_BYTES: usize = 1 << 20;

/// What a value is taken for at least: its place is to be kept too.
const SMALLEST_BYTES: usize = 256;

/// Files that are read at the same time.
const CONCURRENT_FILES: usize = 8;

/// The rows that were read from one data file: their positions, ascending, and the columns.
struct ReadRows {
    positions: Vec<u32>,
    batch: RecordBatch,
}

impl KeyedTable {
    /// One array per column that has values to be read, each in the order of [`Folded::stored_values`].
    pub(super) async fn stored_values(&self, folded: &Folded) -> Result<Vec<(usize, ArrayRef)>, TableError> {
        let values = folded.stored_values();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<KeyHash> =
            values.iter().map(|value| value.key).chain(values.iter().map(|value| value.or)).collect();
        let located = self.locate(keys).await?;
        let (first, second) = located.split_at(values.len());
        let mut by_column: BTreeMap<usize, Vec<RowLocation>> = BTreeMap::new();
        for ((value, first), second) in values.iter().zip(first).zip(second) {
            let location = first.or(*second).ok_or_else(|| self.unknown(value))?;
            by_column.entry(value.column).or_default().push(location);
        }
        let fields: Vec<Arc<Field>> =
            by_column.keys().map(|&column| Arc::clone(&self.columns().arrow().fields()[column])).collect();
        let read = self.read_rows(Arc::new(Schema::new(fields)), by_column.values().flatten()).await?;
        let bytes: usize = read.values().map(|rows| rows.batch.get_array_memory_size()).sum();
        self.learn(bytes / values.len());
        let column_of = |(at, (column, locations)): (usize, (&usize, &Vec<RowLocation>))| {
            Ok((*column, pick(&read, at, locations)?))
        };
        by_column.iter().enumerate().map(column_of).collect()
    }

    /// Bytes that a value of an unchanged column takes when it is read, about.
    pub fn stored_value_bytes(&self) -> usize {
        self.stored_value_bytes.load(Relaxed)
    }

    /// Values were read that had so many bytes: what is expected falls slowly and rises at once.
    fn learn(&self, bytes: usize) {
        let expected = bytes.max(self.stored_value_bytes() / 2).max(SMALLEST_BYTES);
        self.stored_value_bytes.store(expected, Relaxed);
    }

    fn unknown(&self, value: &StoredValue) -> TableError {
        TableError::UnknownValue { column: self.columns().arrow().field(value.column).name().clone() }
    }

    /// Reads each row once, some files at a time.
    async fn read_rows(
        &self,
        columns: SchemaRef,
        locations: impl Iterator<Item = &RowLocation>,
    ) -> Result<BTreeMap<FileId, ReadRows>, TableError> {
        let mut positions: BTreeMap<FileId, Vec<u32>> = BTreeMap::new();
        for location in locations {
            positions.entry(location.file).or_default().push(location.row);
        }
        let reads = positions.into_iter().filter_map(|(id, mut positions)| {
            let add = &self.state.files.get(id)?.add;
            positions.sort_unstable();
            positions.dedup();
            let (file, columns, path) = (self.context.parquet_file(add), Arc::clone(&columns), add.path.clone());
            Some(async move {
                let batch = file.rows_at(columns, &positions).await;
                let batch = batch.map_err(TableError::read_data_file(&self.context.uri, &path))?;
                Ok((id, ReadRows { positions, batch }))
            })
        });
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffered(CONCURRENT_FILES).try_collect().await
    }
}

/// The values of the column that was read as number `column`, at `locations`.
fn pick(read: &BTreeMap<FileId, ReadRows>, column: usize, locations: &[RowLocation]) -> Result<ArrayRef, TableError> {
    let files: Vec<&FileId> = read.keys().collect();
    let arrays: Vec<&dyn Array> = read.values().map(|rows| rows.batch.column(column).as_ref()).collect();
    let at = locations.iter().filter_map(|location| {
        let file = files.binary_search(&&location.file).ok()?;
        let row = read.get(&location.file)?.positions.binary_search(&location.row).ok()?;
        Some((file, row))
    });
    Ok(interleave(&arrays, &at.collect::<Vec<_>>())?)
}
