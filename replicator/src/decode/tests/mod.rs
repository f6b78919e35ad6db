//! The decoder against messages that Debezium 3.7 wrote (tests/data), in both formats.

mod failures;
mod recorded;
pub(super) mod registry;
mod toast;

use std::sync::Arc;

use arrow_array::Array;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Decoded;
use crate::change::ChangeBatch;
use crate::consume::{Budget, RawBatch, RawMessage};

const JSON_MESSAGES: &str = include_str!("../../../tests/data/postgres-json.jsonl");
const JSON_SCHEMAS: &str = include_str!("../../../tests/data/postgres-json-schemas.jsonl");
const AVRO_MESSAGES: &str = include_str!("../../../tests/data/postgres-avro.jsonl");
const AVRO_SCHEMAS: &str = include_str!("../../../tests/data/postgres-avro-schemas.jsonl");

/// A recorded message; `Part` is what its key and value are.
#[derive(Deserialize)]
struct Recorded<Part> {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    moves_key: bool,
    key: Option<Part>,
    value: Option<Part>,
}

/// A JSON key or value; the schema is a line of `JSON_SCHEMAS`.
#[derive(Deserialize)]
struct JsonPart {
    schema: usize,
    payload: Box<RawValue>,
}

impl JsonPart {
    /// As Connect's converter writes it.
    fn message(&self) -> Vec<u8> {
        let schema = JSON_SCHEMAS.lines().nth(self.schema).unwrap();
        format!(r#"{{"schema":{schema},"payload":{}}}"#, self.payload).into_bytes()
    }
}

/// One message of a [`RawBatch`] in the making.
pub(super) struct Message {
    offset: i64,
    timestamp_ms: Option<i64>,
    moves_key: bool,
    moved_key: bool,
    key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
}

/// The recorded JSON messages of a topic.
pub(super) fn json_messages(topic: &str) -> Vec<Message> {
    messages(JSON_MESSAGES, topic, |part: JsonPart| part.message())
}

/// The recorded Avro messages of a topic.
pub(super) fn avro_messages(topic: &str) -> Vec<Message> {
    messages(AVRO_MESSAGES, topic, |part: String| STANDARD.decode(part).unwrap())
}

fn messages<Part: for<'a> Deserialize<'a>>(lines: &str, topic: &str, bytes: fn(Part) -> Vec<u8>) -> Vec<Message> {
    let recorded = lines.lines().map(|line| serde_json::from_str::<Recorded<Part>>(line).unwrap());
    let recorded = recorded.filter(|recorded| recorded.topic == topic && recorded.partition == 0);
    // The header of the second half was not recorded: it comes behind the first one and its tombstone.
    let mut moves_key = false;
    let messages = recorded.map(|recorded| Message {
        offset: recorded.offset,
        timestamp_ms: Some(recorded.timestamp_ms),
        moved_key: std::mem::replace(&mut moves_key, recorded.moves_key) && !recorded.moves_key,
        moves_key: recorded.moves_key,
        key: recorded.key.map(bytes),
        value: recorded.value.map(bytes),
    });
    messages.collect()
}

/// A message without a key.
pub(super) fn message(offset: i64, value: impl Into<Vec<u8>>) -> Message {
    Message { offset, timestamp_ms: None, moves_key: false, moved_key: false, key: None, value: Some(value.into()) }
}

pub(super) fn raw_batch(messages: impl IntoIterator<Item = Message>) -> RawBatch {
    let mut bytes = Vec::new();
    let mut append = |part: Option<Vec<u8>>| {
        part.map(|part| {
            bytes.extend(part.iter());
            bytes.len() - part.len()..bytes.len()
        })
    };
    let messages = messages.into_iter().map(|message| RawMessage {
        offset: message.offset,
        timestamp_ms: message.timestamp_ms,
        key: append(message.key),
        value: append(message.value),
        moves_key: message.moves_key,
        moved_key: message.moved_key,
    });
    let messages = messages.collect();
    let held = Budget::new(0).hold(0);
    RawBatch { topic: Arc::from("topic"), partition: 0, messages, placeholder: None, bytes, held }
}

/// Topics with changes.
const TOPICS: [&str; 9] = [
    "other.users",
    "public.Weird_Table",
    "public.nopk_default",
    "public.nopk_full",
    "public.orders",
    "public.part",
    "public.products",
    "public.toast_full",
    "public.users",
];

/// The value of a row as text; `∅` for null.
fn cell(batch: &ChangeBatch, column: &str, row: usize) -> String {
    let column = batch.rows.column_by_name(column).unwrap();
    let options = FormatOptions::default().with_null("∅");
    ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
}

/// All values of a column, of all batches.
fn cells(decoded: &Decoded, column: &str) -> Vec<String> {
    let rows = decoded.changes.iter().flat_map(|batch| (0..batch.rows.num_rows()).map(move |row| (batch, row)));
    rows.map(|(batch, row)| cell(batch, column, row)).collect()
}

/// The batch and row of the event at `offset`.
fn at(decoded: &Decoded, offset: i64) -> (&ChangeBatch, usize) {
    let found = decoded.changes.iter().find_map(|batch| {
        let row = batch.events.iter().position(|event| event.offset == offset)?;
        Some((batch, row))
    });
    found.unwrap()
}

/// Columns whose placeholder bit is set at a row.
fn unchanged(batch: &ChangeBatch, row: usize) -> Vec<&str> {
    let fields = batch.schema.arrow.fields().iter().zip(&batch.unchanged).enumerate();
    let set = fields.filter(|(_, (_, bits))| bits.as_ref().is_some_and(|bits| bits.value(row)));
    let set = set.inspect(|(index, _)| assert!(batch.rows.column(*index).is_null(row)));
    set.map(|(_, (field, _))| field.name().as_str()).collect()
}
