//! Many events of one key become one outcome: the last row, or its absence.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use super::folded::{FoldedRow, Origin, RowRef, Unchanged, gather, sort};
use super::key::KeyPrefix;
use super::{ChangeBatch, Event, Folded, KeyEncoder, KeyHash, KeyMap, Op, OpCounts, Verdict, conform};

/// What is left of all events of one key.
#[derive(Clone, Debug)]
enum Outcome {
    Deleted,
    Row { prefix: KeyPrefix, at: RowRef, unchanged: Unchanged },
}

/// The old row of a key change, until the event of the new key comes.
struct Moved {
    key: KeyHash,
    /// What the buffered events before it had left of the key.
    row: Option<Outcome>,
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
    stored_values: usize,
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
            stored_values: 0,
        }
    }

    /// [`Fold::take`] would take nothing.
    pub fn is_empty(&self) -> bool {
        self.counts.total() == u64::from(self.moved.is_some())
    }

    /// The first half of a key change was folded and the second was not: [`Fold::take`] leaves the first one here.
    pub fn awaits_new_key(&self) -> bool {
        self.moved.is_some()
    }

    /// Keys that have an outcome.
    pub fn keys(&self) -> usize {
        self.outcomes.len()
    }

    /// Values that have to be read from stored rows, at most: later events may have made some of them needless.
    pub fn stored_values(&self) -> usize {
        self.stored_values
    }

    /// The keys whose stored rows have values that no event has: one of each pair must have a row.
    ///
    /// A change of an added table can come before the row that it changes. When that row is gone by the time the connector
    /// asks for the values that the change leaves out, it gets none; and the delete follows.
    pub fn stored_keys(&self) -> Vec<[KeyHash; 2]> {
        let origins = self.outcomes.values().flat_map(|outcome| match outcome {
            Outcome::Row { unchanged, .. } => unchanged.as_ref(),
            Outcome::Deleted => &[],
        });
        let stored = origins.filter_map(|(_, origin)| match *origin {
            Origin::Stored { key, or } => Some([key, or]),
            Origin::Buffered(_) | Origin::Source => None,
        });
        let mut keys: Vec<_> = stored.collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The keys of rows that lack a value: it is in no event, and in no stored row that `is_stored` knows.
    pub fn lacking(&self, is_stored: impl Fn(KeyHash) -> bool) -> Vec<KeyHash> {
        let lacks = |origin: &Origin| match *origin {
            Origin::Buffered(_) => false,
            Origin::Stored { key, or } => !is_stored(key) && !is_stored(or),
            Origin::Source => true,
        };
        let lacking = self.outcomes.iter().filter(|(_, outcome)| match outcome {
            Outcome::Row { unchanged, .. } => unchanged.iter().any(|(_, origin)| lacks(origin)),
            Outcome::Deleted => false,
        });
        lacking.map(|(key, _)| *key).collect()
    }

    /// The key columns of these keys' rows.
    pub fn key_rows(&self, keys: &[KeyHash]) -> Result<RecordBatch, ArrowError> {
        let at = keys.iter().filter_map(|key| match self.outcomes.get(key) {
            Some(Outcome::Row { at, .. }) => Some((at.chunk as usize, at.row as usize)),
            Some(Outcome::Deleted) | None => None,
        });
        let at: Vec<_> = at.collect();
        let columns = self.key.iter().map(|&column| gather(&self.chunks, column, &at)).collect::<Result<_, _>>()?;
        RecordBatch::try_new(Arc::new(self.schema.project(&self.key)?), columns)
    }

    /// Takes what the rows of these keys lack from `rows`, which were looked up at the source.
    pub fn supply(&mut self, rows: &RecordBatch, keys: &[KeyHash]) -> Result<(), ArrowError> {
        let rows = conform::rows(rows, &self.schema)?;
        let found: Vec<ArrayRef> = self.key.iter().map(|&column| Arc::clone(rows.column(column))).collect();
        let chunk = self.chunks.len() as u32;
        for (row, key) in self.encoder.hashes(&found)?.into_iter().enumerate().filter(|(_, key)| keys.contains(key)) {
            if let Some(Outcome::Row { unchanged, .. }) = self.outcomes.get_mut(&key) {
                for (_, origin) in unchanged.iter_mut().filter(|(_, origin)| !matches!(origin, Origin::Buffered(_))) {
                    *origin = Origin::Buffered(RowRef { chunk, row: row as u32 });
                }
            }
        }
        self.chunks.push(rows);
        Ok(())
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
        let keys = self.encoder.hashes_and_prefixes(&keys)?;
        let (chunk, before) = (self.chunks.len() as u32, self.counts.total());
        for (row, (event, key)) in batch.events.iter().zip(keys).enumerate() {
            let verdict = judge(event);
            match verdict {
                Verdict::Skip => continue,
                Verdict::Contained => {
                    // The row is there under its new key already: under its old one it is only gone.
                    self.moved = self.moved.take().filter(|_| !event.moved_key);
                    continue;
                }
                Verdict::Apply | Verdict::ApplyAlone => {}
                Verdict::StartOver => self.empty(),
            }
            let columns = unchanged.iter().filter(|(_, set)| set.value(row)).map(|(column, _)| *column);
            let is_alone = verdict == Verdict::ApplyAlone && self.moved.is_none();
            self.fold((event, is_alone), key, RowRef { chunk, row: row as u32 }, columns);
        }
        if self.counts.total() > before {
            self.chunks.push(rows);
        }
        Ok(())
    }

    fn fold(
        &mut self,
        (event, is_alone): (&Event, bool),
        (key, prefix): (KeyHash, KeyPrefix),
        at: RowRef,
        unchanged: impl Iterator<Item = usize>,
    ) {
        self.counts.count(event.op);
        match event.op {
            Op::Truncate => self.empty(),
            Op::Delete => {
                let row = self.outcomes.insert(key, Outcome::Deleted);
                // A connector that ended between the halves sends the first one again: the row is what it was.
                let moved = self.moved.take().filter(|moved| moved.key == key).and_then(|moved| moved.row);
                let row = row.filter(|row| matches!(row, Outcome::Row { .. })).or(moved);
                self.moved = event.moves_key.then_some(Moved { key, row });
            }
            Op::Read { .. } | Op::Create | Op::Update => {
                let moved = self.moved.take();
                let own = self.outcomes.get(&key);
                let source = match &moved {
                    // Both halves come again: the row that the first one removed is the buffered row of this key since then.
                    Some(old) if event.moved_key && old.row.is_none() && matches!(own, Some(Outcome::Row { .. })) => {
                        (key, own)
                    }
                    Some(old) if event.moved_key => (old.key, old.row.as_ref()),
                    _ => (key, own),
                };
                let origin = |column| if is_alone { Origin::Source } else { origin(source, key, column) };
                let unchanged: Unchanged = unchanged.map(|column| (column, origin(column))).collect();
                self.stored_values +=
                    unchanged.iter().filter(|(_, origin)| matches!(origin, Origin::Stored { .. })).count();
                self.outcomes.insert(key, Outcome::Row { prefix, at, unchanged });
                // Only rows of an incremental snapshot come between the halves: another thread reads them.
                self.moved = moved.filter(|old| matches!(event.op, Op::Read { .. }) && old.key != key);
            }
        }
    }

    /// No row that came before is left, here or in the table.
    fn empty(&mut self) {
        self.outcomes.clear();
        self.moved = None;
        self.truncated = true;
    }

    /// Takes what was folded and starts again. The first half of a key change whose second half did not come yet stays here,
    /// and is not counted: the row that it removes is committed as it was before, and so the second half finds its values.
    pub fn take(&mut self) -> Result<Folded, ArrowError> {
        self.stored_values = 0;
        let mut counts = std::mem::take(&mut self.counts);
        let chunks = std::mem::take(&mut self.chunks);
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let truncate = std::mem::take(&mut self.truncated);
        if let Some(moved) = &mut self.moved {
            counts.deletes -= 1;
            self.counts.deletes = 1;
            self.outcomes.insert(moved.key, Outcome::Deleted);
            match moved.row.take() {
                Some(row) => outcomes.insert(moved.key, row),
                None => outcomes.remove(&moved.key),
            };
        }
        let mut deleted = Vec::new();
        let mut rows = Vec::new();
        for (key, outcome) in outcomes {
            match outcome {
                Outcome::Deleted => deleted.push(key),
                Outcome::Row { prefix, at, unchanged } => rows.push(FoldedRow { key, prefix, at, unchanged }),
            }
        }
        sort(&self.encoder, &self.key, &chunks, &mut rows)?;
        Ok(Folded { schema: Arc::clone(&self.schema), chunks, rows, deleted, truncate, counts })
    }
}

/// Where the value of `column` comes from when the event of `key` left it out.
fn origin((source, row): (KeyHash, Option<&Outcome>), key: KeyHash, column: usize) -> Origin {
    match row {
        Some(Outcome::Row { at, unchanged, .. }) => unchanged
            .iter()
            .find(|(unchanged, _)| *unchanged == column)
            .map_or(Origin::Buffered(*at), |(_, origin)| *origin),
        Some(Outcome::Deleted) | None => Origin::Stored { key: source, or: key },
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
