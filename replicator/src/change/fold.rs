//! Many events of one key become one outcome: the last row, or its absence.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::interleave::interleave;

use super::{ChangeBatch, Event, KeyEncoder, KeyHash, KeyMap, Op, Verdict, conform};

/// A row of the buffered events: chunk and row within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RowRef {
    chunk: u32,
    row: u32,
}

/// Where the value of an unchanged TOAST column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// From an earlier event that is still buffered.
    Buffered(RowRef),
    /// From the table: the row of `key`, or, when that is gone because the change of a key was applied before, of `or`.
    Stored { key: KeyHash, or: KeyHash },
}

/// What is left of all events of one key.
#[derive(Clone, Debug)]
enum Outcome {
    Deleted,
    Row { at: RowRef, unchanged: Vec<(usize, Origin)> },
}

/// The old row of a key change, until the event of the new key comes.
struct Moved {
    key: KeyHash,
    row: Option<Outcome>,
}

/// Counts of applied events by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpCounts {
    /// Rows read by a snapshot.
    pub reads: u64,
    /// Rows created.
    pub creates: u64,
    /// Rows updated.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Truncates.
    pub truncates: u64,
}

impl OpCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.reads + self.creates + self.updates + self.deletes + self.truncates
    }

    fn count(&mut self, op: Op) {
        let counter = match op {
            Op::Read { .. } => &mut self.reads,
            Op::Create => &mut self.creates,
            Op::Update => &mut self.updates,
            Op::Delete => &mut self.deletes,
            Op::Truncate => &mut self.truncates,
        };
        *counter += 1;
    }
}

/// Buffered events of one table, folded as they come.
pub struct Fold {
    schema: SchemaRef,
    key: Vec<usize>,
    encoder: KeyEncoder,
    chunks: Vec<RecordBatch>,
    outcomes: KeyMap<Outcome>,
    truncated: bool,
    moved: Option<Moved>,
    counts: OpCounts,
}

impl Fold {
    /// An empty fold of rows of `schema` (the table's), identified by the columns `key`, which `encoder` hashes.
    pub fn new(schema: SchemaRef, key: Vec<usize>, encoder: KeyEncoder) -> Self {
        Self {
            schema,
            key,
            encoder,
            chunks: Vec::new(),
            outcomes: KeyMap::default(),
            truncated: false,
            moved: None,
            counts: OpCounts::default(),
        }
    }

    /// No event was folded since the start or the last [`Fold::take`].
    pub fn is_empty(&self) -> bool {
        self.counts.total() == 0
    }

    /// The last event was the first half of a key change, and the second half needs what it removes.
    pub fn awaits_new_key(&self) -> bool {
        self.moved.is_some()
    }

    /// Some row needs a value that no earlier event has, nor the table, which has the rows that `has_row` knows.
    ///
    /// A change of an added table can come before the row that it changes. When that row is gone by the time the connector
    /// asks for the values that the change leaves out, it gets none; and the delete follows.
    pub fn lacks_value(&self, mut has_row: impl FnMut(KeyHash) -> bool) -> bool {
        let mut lacks =
            |origin: &Origin| matches!(*origin, Origin::Stored { key, or } if !(has_row(key) | has_row(or)));
        self.outcomes.values().any(|outcome| match outcome {
            Outcome::Row { unchanged, .. } => unchanged.iter().any(|(_, origin)| lacks(origin)),
            Outcome::Deleted => false,
        })
    }

    /// The table got more columns, at the end.
    pub fn widen(&mut self, schema: &SchemaRef) -> Result<(), ArrowError> {
        if *schema != self.schema {
            self.chunks = self.chunks.iter().map(|chunk| conform::rows(chunk, schema)).collect::<Result<_, _>>()?;
            self.schema = Arc::clone(schema);
        }
        Ok(())
    }

    /// Folds the events of `batch` in order, as `judge` says.
    pub fn push(&mut self, batch: &ChangeBatch, mut judge: impl FnMut(&Event) -> Verdict) -> Result<(), ArrowError> {
        let rows = conform::rows(&batch.rows, &self.schema)?;
        let unchanged = conform::unchanged(batch, &self.schema);
        let keys: Vec<ArrayRef> = self.key.iter().map(|&column| Arc::clone(rows.column(column))).collect();
        let hashes = self.encoder.hashes(&keys)?;
        let (chunk, before) = (self.chunks.len() as u32, self.counts.total());
        for (row, (event, key)) in batch.events.iter().zip(hashes).enumerate() {
            match judge(event) {
                Verdict::Skip => continue,
                Verdict::Apply => {}
                Verdict::StartOver => self.empty(),
            }
            let columns = unchanged.iter().filter(|(_, set)| set.value(row)).map(|(column, _)| *column);
            self.fold(event, key, RowRef { chunk, row: row as u32 }, columns);
        }
        if self.counts.total() > before {
            self.chunks.push(rows);
        }
        Ok(())
    }

    fn fold(&mut self, event: &Event, key: KeyHash, at: RowRef, unchanged: impl Iterator<Item = usize>) {
        self.counts.count(event.op);
        let moved = self.moved.take();
        match event.op {
            Op::Truncate => self.empty(),
            Op::Delete => {
                let row = self.outcomes.insert(key, Outcome::Deleted);
                self.moved = event.moves_key.then_some(Moved { key, row });
            }
            Op::Read { .. } | Op::Create | Op::Update => {
                let source =
                    moved.as_ref().map_or_else(|| (key, self.outcomes.get(&key)), |old| (old.key, old.row.as_ref()));
                let unchanged = unchanged.map(|column| (column, origin(source, key, column))).collect();
                self.outcomes.insert(key, Outcome::Row { at, unchanged });
            }
        }
    }

    /// No row that came before is left, here or in the table.
    fn empty(&mut self) {
        self.outcomes.clear();
        self.moved = None;
        self.truncated = true;
    }

    /// Takes what was folded and starts again.
    pub fn take(&mut self) -> Result<Folded, ArrowError> {
        self.moved = None;
        let counts = std::mem::take(&mut self.counts);
        let chunks = std::mem::take(&mut self.chunks);
        let outcomes = std::mem::take(&mut self.outcomes);
        let truncate = std::mem::take(&mut self.truncated);
        let mut deleted = Vec::new();
        let mut rows = Vec::new();
        for (key, outcome) in outcomes {
            match outcome {
                Outcome::Deleted => deleted.push(key),
                Outcome::Row { at, unchanged } => rows.push(FoldedRow { key, at, unchanged }),
            }
        }
        self.sort(&chunks, &mut rows)?;
        Ok(Folded { schema: Arc::clone(&self.schema), chunks, rows, deleted, truncate, counts })
    }

    /// Sorts by key, so that pages and statistics of the new file are narrow.
    fn sort(&self, chunks: &[RecordBatch], rows: &mut Vec<FoldedRow>) -> Result<(), ArrowError> {
        if rows.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = rows.iter().map(FoldedRow::index).collect();
        let keys = self.key.iter().map(|&column| gather(chunks, column, &at)).collect::<Result<Vec<_>, _>>()?;
        let encoded = self.encoder.rows(&keys)?;
        let mut order: Vec<(u128, usize)> = encoded.iter().map(|key| prefix(key.as_ref())).zip(0..).collect();
        order.sort_unstable_by(|(left_prefix, left), (right_prefix, right)| {
            left_prefix.cmp(right_prefix).then_with(|| encoded.row(*left).cmp(&encoded.row(*right)))
        });
        if !order.is_sorted_by_key(|(_, row)| *row) {
            *rows = order.into_iter().map(|(_, index)| rows[index].clone()).collect();
        }
        Ok(())
    }
}

/// The first 16 bytes of an encoded key: they decide nearly every comparison, and lie side by side when sorting.
fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(bytes)
}

/// Where the value of `column` comes from when the event of `key` left it out.
fn origin((source, row): (KeyHash, Option<&Outcome>), key: KeyHash, column: usize) -> Origin {
    match row {
        Some(Outcome::Row { at, unchanged }) => unchanged
            .iter()
            .find(|(unchanged, _)| *unchanged == column)
            .map_or(Origin::Buffered(*at), |(_, origin)| *origin),
        Some(Outcome::Deleted) | None => Origin::Stored { key: source, or: key },
    }
}

fn gather(chunks: &[RecordBatch], column: usize, at: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
    let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.column(column).as_ref()).collect();
    interleave(&arrays, at)
}

#[derive(Clone, Debug)]
struct FoldedRow {
    key: KeyHash,
    at: RowRef,
    unchanged: Vec<(usize, Origin)>,
}

impl FoldedRow {
    fn index(&self) -> (usize, usize) {
        (self.at.chunk as usize, self.at.row as usize)
    }
}

/// One outcome per key: what a commit applies.
pub struct Folded {
    schema: SchemaRef,
    chunks: Vec<RecordBatch>,
    rows: Vec<FoldedRow>,
    deleted: Vec<KeyHash>,
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
        let columns = (0..self.schema.fields().len()).map(|column| {
            let stored = stored.iter().find(|(of, _)| *of == column).map(|(_, values)| values);
            self.column(column, stored)
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
    }

    fn column(&self, column: usize, stored: Option<&ArrayRef>) -> Result<ArrayRef, ArrowError> {
        let mut next = 0;
        let at: Vec<(usize, usize)> = self
            .rows
            .iter()
            .map(|row| match row.unchanged.iter().find(|(unchanged, _)| *unchanged == column) {
                None => row.index(),
                Some((_, Origin::Buffered(at))) => (at.chunk as usize, at.row as usize),
                Some((_, Origin::Stored { .. })) => {
                    next += 1;
                    (self.chunks.len(), next - 1)
                }
            })
            .collect();
        if at.is_empty() {
            return Ok(arrow_array::new_empty_array(self.schema.field(column).data_type()));
        }
        let mut arrays: Vec<&dyn Array> = self.chunks.iter().map(|chunk| chunk.column(column).as_ref()).collect();
        arrays.extend(stored.map(AsRef::as_ref));
        interleave(&arrays, &at)
    }

    /// No row comes and none goes.
    pub fn is_empty(&self) -> bool {
        !self.truncate && self.rows.is_empty() && self.deleted.is_empty()
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
