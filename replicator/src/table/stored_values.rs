//! Values of unchanged TOAST columns, read from the rows that still hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use arrow_select::interleave::interleave;

use super::index::{FileId, RowLocation};
use super::{KeyedTable, TableError};
use crate::change::{Folded, StoredValue};

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
        let mut by_column: BTreeMap<usize, Vec<RowLocation>> = BTreeMap::new();
        for value in &values {
            by_column.entry(value.column).or_default().push(self.locate_value(value)?);
        }
        let fields: Vec<Arc<Field>> =
            by_column.keys().map(|&column| Arc::clone(&self.columns().arrow().fields()[column])).collect();
        let read = self.read_rows(&Schema::new(fields), by_column.values().flatten()).await?;
        let column_of = |(at, (column, locations)): (usize, (&usize, &Vec<RowLocation>))| {
            Ok((*column, pick(&read, at, locations)?))
        };
        by_column.iter().enumerate().map(column_of).collect()
    }

    fn locate_value(&self, value: &StoredValue) -> Result<RowLocation, TableError> {
        let location = self.index.locate(value.key).or_else(|| self.index.locate(value.or));
        location.ok_or_else(|| {
            let column = self.columns().arrow().field(value.column).name().clone();
            TableError::UnknownValue { column }
        })
    }

    /// Reads each row once, file by file.
    async fn read_rows(
        &self,
        columns: &Schema,
        locations: impl Iterator<Item = &RowLocation>,
    ) -> Result<BTreeMap<FileId, ReadRows>, TableError> {
        let mut positions: BTreeMap<FileId, Vec<u32>> = BTreeMap::new();
        for location in locations {
            positions.entry(location.file).or_default().push(location.row);
        }
        let mut read = BTreeMap::new();
        for (id, mut positions) in positions {
            let Some(file) = self.files.get(id) else { continue };
            positions.sort_unstable();
            positions.dedup();
            let batch = self.parquet_file(file).rows(columns, &positions).await;
            let in_file = |source| TableError::DataFile { path: file.add.path.clone(), source: Box::new(source) };
            read.insert(id, ReadRows { positions, batch: batch.map_err(in_file)? });
        }
        Ok(read)
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
