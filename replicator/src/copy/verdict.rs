//! Which events a copy contains already.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use tributary_sources::postgres::{KeyValue, NoSnapshot, Snapshot};

use super::CopyRecord;
use crate::change::{ChangeBatch, Event, Op};

/// Whether a copy contains what an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contained {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Some chunks do: of a truncate, which is about all rows.
    Partly,
}

/// Tells which events a copy contains.
#[derive(Clone, Debug)]
pub struct Verdicts {
    column: Option<String>,
    /// The highest key of each chunk, ascending; the last has none.
    chunks: Vec<(Option<KeyValue>, Snapshot)>,
}

impl Verdicts {
    /// Those of a copy that is complete.
    pub fn of(record: &CopyRecord) -> Result<Self, NoSnapshot> {
        let chunks = record.chunks.iter().map(|chunk| Ok((chunk.range.up_to.clone(), chunk.snapshot.parse()?)));
        Ok(Self { column: record.range_column.clone(), chunks: chunks.collect::<Result<_, NoSnapshot>>()? })
    }

    /// There is something that it may contain.
    pub fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// One for each event. The rows that a connector reads are all contained: they are older than the copy, or equal to it.
    pub fn judge(&self, batch: &ChangeBatch) -> Vec<Contained> {
        let keys = self.column.as_ref().and_then(|column| batch.rows.column_by_name(column));
        let keys = keys.map(KeyColumn::of);
        batch.events.iter().enumerate().map(|(row, event)| self.one(event, keys.as_ref(), row)).collect()
    }

    fn one(&self, event: &Event, keys: Option<&KeyColumn>, row: usize) -> Contained {
        let of = |is: bool| if is { Contained::Yes } else { Contained::No };
        if matches!(event.op, Op::Read { .. }) {
            return Contained::Yes;
        }
        let Some(transaction) = event.transaction else { return Contained::No };
        if event.op == Op::Truncate {
            let contained = self.chunks.iter().filter(|(_, snapshot)| snapshot.contains(transaction)).count();
            return if contained == 0 {
                Contained::No
            } else if contained == self.chunks.len() {
                Contained::Yes
            } else {
                Contained::Partly
            };
        }
        let chunk = match (&self.column, keys.and_then(|keys| keys.value(row))) {
            (Some(_), Some(key)) => {
                self.chunks.partition_point(|(up_to, _)| up_to.as_ref().is_some_and(|up_to| *up_to < key))
            }
            // An event that no longer has the column belongs to no chunk.
            (Some(_), None) => return Contained::No,
            (None, _) => 0,
        };
        of(self.chunks.get(chunk).is_some_and(|(_, snapshot)| snapshot.contains(transaction)))
    }
}

/// The column by whose ranges a table was copied, of events.
enum KeyColumn<'a> {
    Integers(Box<dyn Fn(usize) -> i64 + 'a>),
    Texts(&'a ArrayRef),
    Other,
}

impl<'a> KeyColumn<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        if let Some(values) = column.as_primitive_opt::<Int64Type>() {
            Self::Integers(Box::new(|row| values.value(row)))
        } else if let Some(values) = column.as_primitive_opt::<Int32Type>() {
            Self::Integers(Box::new(|row| values.value(row).into()))
        } else if let Some(values) = column.as_primitive_opt::<Int16Type>() {
            Self::Integers(Box::new(|row| values.value(row).into()))
        } else if column.as_string_opt::<i32>().is_some() {
            Self::Texts(column)
        } else {
            Self::Other
        }
    }

    fn value(&self, row: usize) -> Option<KeyValue> {
        match self {
            Self::Integers(value) => Some(KeyValue::Integer(value(row))),
            Self::Texts(column) => {
                let texts = column.as_string::<i32>();
                texts.is_valid(row).then(|| KeyValue::Text(texts.value(row).to_owned()))
            }
            Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, RecordBatch, StringArray};
    use arrow_schema::{Field, Schema};
    use tributary_sources::postgres::{Catalogue, Range};

    use super::super::Chunk;
    use super::*;
    use crate::change::RowSchema;

    fn verdicts(chunks: &[(Option<KeyValue>, &str)]) -> Verdicts {
        let mut after = None;
        let chunks = chunks.iter().map(|(up_to, snapshot)| {
            let range = Range { after: std::mem::replace(&mut after, up_to.clone()), up_to: up_to.clone() };
            Chunk { range, snapshot: (*snapshot).to_owned() }
        });
        let chunks = chunks.collect();
        let catalogue = Catalogue { oid: 1, key: vec![1], ..Catalogue::default() };
        let range_column = Some("id".to_owned());
        Verdicts::of(&CopyRecord {
            system: 1,
            timeline: None,
            waited_for: Vec::new(),
            membership: 1,
            publication: None,
            catalogue,
            range_column,
            chunks,
            ended_at: Some(9),
        })
        .unwrap()
    }

    fn events(ids: ArrayRef, events: &[(Op, Option<u32>)]) -> ChangeBatch {
        let arrow = Arc::new(Schema::new(vec![Field::new("id", ids.data_type().clone(), true)]));
        let event = |(op, transaction): &(Op, Option<u32>)| Event {
            offset: 0,
            op: *op,
            position: None,
            transaction: *transaction,
            source_ts_ms: 0,
            message_ts_ms: None,
            moves_key: false,
            moved_key: false,
        };
        ChangeBatch {
            schema: Arc::new(RowSchema { arrow: Arc::clone(&arrow), key: vec![0], warnings: Vec::new() }),
            rows: RecordBatch::try_new(arrow, vec![ids]).unwrap(),
            events: events.iter().map(event).collect(),
            unchanged: vec![None],
        }
    }

    #[test]
    fn an_event_is_judged_by_the_chunk_of_its_key() {
        let verdicts = verdicts(&[(Some(KeyValue::Integer(10)), "100:100:"), (None, "200:203:201")]);
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![10, 10, 11, 11, 11, 5, 5]));
        let update = |transaction| (Op::Update, Some(transaction));
        let batch = events(
            ids,
            &[
                update(99),
                update(100),
                update(100),
                update(201),
                update(202),
                (Op::Read { last: true }, Some(999)),
                (Op::Delete, None),
            ],
        );
        assert_eq!(
            verdicts.judge(&batch),
            [
                Contained::Yes,
                Contained::No,
                Contained::Yes,
                Contained::No,
                Contained::Yes,
                Contained::Yes,
                Contained::No
            ]
        );
    }

    #[test]
    fn an_event_without_the_column_of_the_ranges_is_in_no_chunk() {
        let verdicts = verdicts(&[(Some(KeyValue::Integer(10)), "100:100:"), (None, "200:200:")]);
        let mut batch = events(Arc::new(Int32Array::from(vec![5])), &[(Op::Update, Some(7))]);
        batch.rows = batch.rows.project(&[]).unwrap();
        assert_eq!(verdicts.judge(&batch), [Contained::No]);
    }

    #[test]
    fn a_truncate_that_only_some_chunks_saw_is_contained_partly() {
        let verdicts = verdicts(&[(Some(KeyValue::Text("b".to_owned())), "100:100:"), (None, "200:200:")]);
        let ids: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 3]));
        let truncate = |transaction| (Op::Truncate, Some(transaction));
        let batch = events(ids, &[truncate(99), truncate(150), truncate(250)]);
        assert_eq!(verdicts.judge(&batch), [Contained::Yes, Contained::Partly, Contained::No]);
    }
}
