//! Debezium's envelope: from what a reader read to rows and events.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::{Field, Schema};
use arrow_select::{filter::filter_record_batch, nullif::nullif, zip::zip};

use super::column::{Column, child};
use super::connect_schema::{ConnectSchema, Kind};
use super::error::DecodeErrorKind;
use super::position::position;
use super::toast::{Placeholder, Sentinel};
use crate::change::{ChangeBatch, Event, Op, RowSchema};
use crate::consume::RawMessage;

/// Fields of `source` that are read.
pub(super) const SOURCE_FIELDS: [&str; 5] = ["ts_ms", "lsn", "sequence", "snapshot", "txId"];

/// How the envelopes of one value schema become change batches.
#[derive(Debug)]
pub(super) struct Envelope {
    columns: Vec<(Column, Option<Sentinel>)>,
    schema: Arc<RowSchema>,
}

impl Envelope {
    /// `value` is the schema of the envelope, `key` the names of the key columns.
    pub(super) fn new(
        value: &ConnectSchema,
        key: &[String],
        warnings: fn(&ConnectSchema) -> Vec<String>,
    ) -> Result<Self, DecodeErrorKind> {
        let row = row_schema(value)?;
        let columns = row
            .fields()
            .iter()
            .map(|field| Column::new(&field.name, &field.schema).map(|column| (column, Sentinel::of(&field.schema))));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let key = key.iter().map(|name| {
            let found = columns.iter().position(|(column, _)| column.name == *name);
            found.ok_or_else(|| DecodeErrorKind::KeyColumnMissing { column: name.clone() })
        });
        let key = key.collect::<Result<_, _>>()?;
        let fields = columns.iter().map(|(column, _)| Field::new(&column.name, column.data_type(), true));
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let schema = Arc::new(RowSchema { arrow, key, warnings: warnings(row) });
        Ok(Self { columns, schema })
    }

    /// Turns rows of `before`, `after`, `op` and `source` into changes; `messages` are those that the rows came from.
    /// `placeholder` stands in them for what did not change. `None`: all of them were logical messages.
    pub(super) fn changes<'a>(
        &self,
        raw: &RecordBatch,
        messages: impl Iterator<Item = &'a RawMessage>,
        placeholder: &Placeholder,
    ) -> Result<Option<ChangeBatch>, DecodeErrorKind> {
        let mut events = Source::of(raw).ok_or(DecodeErrorKind::Damaged)?.events(messages)?;
        let raw = match without_messages(&events, raw)? {
            Some(kept) => kept,
            None => raw.clone(),
        };
        let events: Vec<Event> = events.drain(..).flatten().collect();
        if events.is_empty() {
            return Ok(None);
        }
        let (rows, unchanged) = self.rows(&raw, &events, placeholder)?;
        Ok(Some(ChangeBatch { schema: Arc::clone(&self.schema), rows, events, unchanged }))
    }

    fn rows(
        &self,
        raw: &RecordBatch,
        events: &[Event],
        placeholder: &Placeholder,
    ) -> Result<(RecordBatch, Vec<Option<BooleanBuffer>>), DecodeErrorKind> {
        let after = structure(raw, "after").ok_or(DecodeErrorKind::Damaged)?;
        require_rows(after, events, "after", |op| !matches!(op, Op::Delete | Op::Truncate))?;
        let mut unchanged = Vec::with_capacity(self.columns.len());
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, sentinel) in &self.columns {
            let values = child(after, &column.name).ok_or(DecodeErrorKind::Damaged)?;
            let placeholders =
                sentinel.as_ref().and_then(|sentinel| left_out(sentinel.rows(&values, placeholder), events));
            let values = match &placeholders {
                Some(rows) => {
                    let rows = BooleanArray::new(rows.clone(), None);
                    nullif(&values, &rows).map_err(|_| DecodeErrorKind::Damaged)?
                }
                None => values,
            };
            columns.push(column.convert(&values)?);
            unchanged.push(placeholders);
        }
        self.keys_of_deletes(raw, events, &mut columns)?;
        let rows = RecordBatch::try_new(Arc::clone(&self.schema.arrow), columns);
        Ok((rows.map_err(|_| DecodeErrorKind::Damaged)?, unchanged))
    }

    /// The row of a delete is its key, which stands in `before`; the rest of `before` may be filled with zeros.
    fn keys_of_deletes(
        &self,
        raw: &RecordBatch,
        events: &[Event],
        columns: &mut [ArrayRef],
    ) -> Result<(), DecodeErrorKind> {
        let deletes: BooleanArray = events.iter().map(|event| Some(event.op == Op::Delete)).collect();
        if deletes.true_count() == 0 || self.schema.key.is_empty() {
            return Ok(());
        }
        let before = structure(raw, "before").ok_or(DecodeErrorKind::Damaged)?;
        require_rows(before, events, "before", |op| op == Op::Delete)?;
        for &index in &self.schema.key {
            let (column, _) = &self.columns[index];
            let key = child(before, &column.name).ok_or(DecodeErrorKind::Damaged)?;
            let key = column.convert(&key)?;
            columns[index] = zip(&deletes, &key, &columns[index]).map_err(|_| DecodeErrorKind::Damaged)?;
        }
        Ok(())
    }
}

/// The schema of a row, if `value` is an envelope.
pub(super) fn row_schema(value: &ConnectSchema) -> Result<&ConnectSchema, DecodeErrorKind> {
    let has = |name: &str| value.field(name).is_some();
    match value.field("after") {
        Some(row) if matches!(row.kind, Kind::Struct(_)) && has("before") && has("op") && has("source") => Ok(row),
        _ => Err(DecodeErrorKind::NotAnEnvelope),
    }
}

/// A message of `pg_logical_emit_message`, which is not a change of a table.
pub(super) fn is_logical_message(value: &ConnectSchema) -> bool {
    value.field("after").is_none() && value.field("op").is_some() && value.field("message").is_some()
}

/// Rows that leave a value out: updates, and the second halves of key changes. In any other create what looks like the
/// placeholder is what somebody wrote. `None` if there are none.
fn left_out(mut rows: Vec<usize>, events: &[Event]) -> Option<BooleanBuffer> {
    rows.retain(|row| {
        let event = &events[*row];
        event.op == Op::Update || (event.op == Op::Create && event.moved_key)
    });
    if rows.is_empty() {
        return None;
    }
    let mut bits = BooleanBufferBuilder::new(events.len());
    bits.append_n(events.len(), false);
    for row in rows {
        bits.set_bit(row, true);
    }
    Some(bits.finish())
}

fn require_rows(
    rows: &StructArray,
    events: &[Event],
    field: &'static str,
    needs: impl Fn(Op) -> bool,
) -> Result<(), DecodeErrorKind> {
    if rows.null_count() == 0 {
        return Ok(());
    }
    let missing = events.iter().enumerate().find(|(row, event)| needs(event.op) && rows.is_null(*row));
    match missing {
        Some((_, event)) => Err(DecodeErrorKind::RowMissing { op: letter(event.op), field }),
        None => Ok(()),
    }
}

fn letter(op: Op) -> char {
    match op {
        Op::Read { .. } => 'r',
        Op::Create => 'c',
        Op::Update => 'u',
        Op::Delete => 'd',
        Op::Truncate => 't',
    }
}

fn structure<'a>(raw: &'a RecordBatch, name: &str) -> Option<&'a StructArray> {
    raw.column_by_name(name)?.as_struct_opt()
}

/// The rows without those of logical messages, if there are any.
fn without_messages(events: &[Option<Event>], raw: &RecordBatch) -> Result<Option<RecordBatch>, DecodeErrorKind> {
    if events.iter().all(Option::is_some) {
        return Ok(None);
    }
    let kept: BooleanArray = events.iter().map(|event| Some(event.is_some())).collect();
    filter_record_batch(raw, &kept).map(Some).map_err(|_| DecodeErrorKind::Damaged)
}

/// The columns that events are made of.
struct Source<'a> {
    op: &'a StringArray,
    ts_ms: Option<&'a Int64Array>,
    lsn: Option<&'a Int64Array>,
    sequence: Option<&'a StringArray>,
    snapshot: Option<&'a StringArray>,
    transaction: Option<&'a Int64Array>,
}

impl<'a> Source<'a> {
    fn of(raw: &'a RecordBatch) -> Option<Self> {
        let source = structure(raw, "source")?;
        let numbers = |name: &str| source.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        let texts = |name: &str| source.column_by_name(name)?.as_string_opt::<i32>();
        Some(Self {
            op: raw.column_by_name("op")?.as_string_opt()?,
            ts_ms: numbers("ts_ms"),
            lsn: numbers("lsn"),
            sequence: texts("sequence"),
            snapshot: texts("snapshot"),
            transaction: numbers("txId"),
        })
    }

    /// One entry per row; `None` for a logical message.
    fn events<'b>(
        &self,
        messages: impl Iterator<Item = &'b RawMessage>,
    ) -> Result<Vec<Option<Event>>, DecodeErrorKind> {
        messages.enumerate().map(|(row, message)| self.event(row, message)).collect()
    }

    fn event(&self, row: usize, message: &RawMessage) -> Result<Option<Event>, DecodeErrorKind> {
        let snapshot = text(self.snapshot, row);
        let op = match text(Some(self.op), row).unwrap_or_default() {
            "r" => Op::Read { last: matches!(snapshot, Some("last" | "last_in_data_collection")) },
            "c" => Op::Create,
            "u" => Op::Update,
            "d" => Op::Delete,
            "t" => Op::Truncate,
            "m" => return Ok(None),
            other => return Err(DecodeErrorKind::UnsupportedOp { op: other.chars().take(8).collect() }),
        };
        let position = match snapshot {
            Some("incremental") => None,
            _ => {
                position(text(self.sequence, row), number(self.lsn, row)).map_err(|()| DecodeErrorKind::BadSequence)?
            }
        };
        Ok(Some(Event {
            offset: message.offset,
            op,
            position,
            // 32 bits of it are all that a connector has.
            transaction: number(self.transaction, row).map(|transaction| transaction as u32),
            source_ts_ms: number(self.ts_ms, row).unwrap_or_default(),
            message_ts_ms: message.timestamp_ms,
            moves_key: message.moves_key,
            moved_key: message.moved_key,
        }))
    }
}

fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

fn number(column: Option<&Int64Array>, row: usize) -> Option<i64> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}
