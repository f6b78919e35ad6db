//! What a commit applies: one outcome per key, with its rows sorted and brought together.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::interleave::interleave;

use super::key::KeyPrefix;
use super::{KeyEncoder, KeyHash, OpCounts};

/// A row of the buffered events: chunk and row within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRef {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

/// Where the value of an unchanged TOAST column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From an earlier event that is still buffered.
    Buffered(RowRef),
    /// From the table: the row of `key`, or, when that is gone because the change of a key was applied before, of `or`.
    Stored { key: KeyHash, or: KeyHash },
    /// From nowhere but the source: the row that had it is in no copy.
    Source,
}

/// The last row of a key.
#[derive(Clone, Debug)]
pub(super) struct FoldedRow {
    pub(super) key: KeyHash,
    pub(super) prefix: KeyPrefix,
    pub(super) at: RowRef,
    pub(super) unchanged: Unchanged,
}

/// The unchanged TOAST columns of a row.
pub(super) type Unchanged = Box<[(usize, Origin)]>;

impl FoldedRow {
    fn index(&self) -> (usize, usize) {
        (self.at.chunk as usize, self.at.row as usize)
    }
}

/// One outcome per key: what a commit applies.
pub struct Folded {
    pub(super) schema: SchemaRef,
    pub(super) chunks: Vec<RecordBatch>,
    pub(super) rows: Vec<FoldedRow>,
    pub(super) deleted: Vec<KeyHash>,
    /// Every row that the table held before goes.
    pub truncate: bool,
    /// The events that were folded.
    pub counts: OpCounts,
}

/// A value of an unchanged TOAST column that only the table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredValue {
    /// Row of the result, see [`Folded::rows`].
    pub row: usize,
    /// Column of the table.
    pub column: usize,
    /// The key whose stored row has the value.
    pub key: KeyHash,
    /// Where to look when that key has no row.
    pub or: KeyHash,
}

impl Folded {
    /// Nothing, for a commit that says only how far the topic was read. `schema`: the table's.
    pub fn empty(schema: SchemaRef) -> Self {
        let counts = OpCounts::default();
        Self { schema, chunks: Vec::new(), rows: Vec::new(), deleted: Vec::new(), truncate: false, counts }
    }

    /// All rows go. `schema`: the table's.
    pub fn truncate(schema: SchemaRef) -> Self {
        Self { truncate: true, ..Self::empty(schema) }
    }

    /// No row comes and none goes.
    pub fn is_empty(&self) -> bool {
        !self.truncate && self.rows.is_empty() && self.deleted.is_empty()
    }

    /// Keys that have a row now, in the order of [`Folded::rows`].
    pub fn upserted(&self) -> impl ExactSizeIterator<Item = KeyHash> + '_ {
        self.rows.iter().map(|row| row.key)
    }

    /// Keys that have none.
    pub fn deleted(&self) -> impl ExactSizeIterator<Item = KeyHash> + '_ {
        self.deleted.iter().copied()
    }

    /// The values that have to be read from the table.
    pub fn stored_values(&self) -> Vec<StoredValue> {
        let mut values = Vec::new();
        for (row, folded) in self.rows.iter().enumerate() {
            for (column, origin) in &folded.unchanged {
                if let Origin::Stored { key, or } = *origin {
                    values.push(StoredValue { row, column: *column, key, or });
                }
            }
        }
        values
    }

    /// The new rows, sorted by key. `stored` has one array per column that [`Folded::stored_values`] names, each with
    /// one value per entry of that column, in the same order.
    pub fn rows(&self, stored: &[(usize, ArrayRef)]) -> Result<RecordBatch, ArrowError> {
        let at: Vec<_> = self.rows.iter().map(FoldedRow::index).collect();
        let unchanged: HashSet<usize> =
            self.rows.iter().flat_map(|row| row.unchanged.iter().map(|(column, _)| *column)).collect();
        let columns = (0..self.schema.fields().len()).map(|column| {
            if unchanged.contains(&column) {
                let stored = stored.iter().find(|(of, _)| *of == column).map(|(_, values)| values);
                self.values(column, &self.origins(column), stored)
            } else {
                self.values(column, &at, None)
            }
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
    }

    /// Where each value of a column is; those of stored rows stand behind all chunks.
    fn origins(&self, column: usize) -> Vec<(usize, usize)> {
        let mut next = 0;
        let rows = self.rows.iter();
        let origins = rows.map(|row| match row.unchanged.iter().find(|(unchanged, _)| *unchanged == column) {
            None => row.index(),
            Some((_, Origin::Buffered(at))) => (at.chunk as usize, at.row as usize),
            // Looked up before anything is committed; an index that is out of bounds would be an error.
            Some((_, Origin::Source)) => (usize::MAX, 0),
            Some((_, Origin::Stored { .. })) => {
                next += 1;
                (self.chunks.len(), next - 1)
            }
        });
        origins.collect()
    }

    fn values(&self, column: usize, at: &[(usize, usize)], stored: Option<&ArrayRef>) -> Result<ArrayRef, ArrowError> {
        if at.is_empty() {
            return Ok(arrow_array::new_empty_array(self.schema.field(column).data_type()));
        }
        let mut arrays: Vec<&dyn Array> = self.chunks.iter().map(|chunk| chunk.column(column).as_ref()).collect();
        arrays.extend(stored.map(AsRef::as_ref));
        interleave(&arrays, at)
    }
}

/// Sorts by key, so that pages and statistics of the new file are narrow. `key`: its columns.
pub(super) fn sort(
    encoder: &KeyEncoder,
    key: &[usize],
    chunks: &[RecordBatch],
    rows: &mut Vec<FoldedRow>,
) -> Result<(), ArrowError> {
    rows.sort_unstable_by_key(|row| row.prefix);
    if rows.windows(2).all(|pair| pair[0].prefix < pair[1].prefix) {
        return Ok(());
    }
    let at: Vec<_> = rows.iter().map(FoldedRow::index).collect();
    let keys = key.iter().map(|&column| gather(chunks, column, &at)).collect::<Result<Vec<_>, _>>()?;
    let encoded = encoder.rows(&keys)?;
    let mut order: Vec<_> = rows.iter().map(|row| row.prefix).zip(0..).collect();
    order.sort_unstable_by(|(left_prefix, left), (right_prefix, right)| {
        left_prefix.cmp(right_prefix).then_with(|| encoded.row(*left).cmp(&encoded.row(*right)))
    });
    *rows = order.into_iter().map(|(_, index)| rows[index].clone()).collect();
    Ok(())
}

pub(super) fn gather(chunks: &[RecordBatch], column: usize, at: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.column(column).as_ref()).collect();
    interleave(&arrays, at)
}
