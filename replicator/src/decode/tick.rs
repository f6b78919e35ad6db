//! The ticks in the topic of the messages that the connector found in the source's log.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StructArray};
use hashbrown::HashMap;
use serde::Deserialize;
use tributary_sources::postgres::TICK_PREFIX;

use super::avro::{self, AvroReader, schema_id};
use super::error::{DecodeError, DecodeErrorKind};
use super::registry::{RegistryClient, RegistryError};
use crate::consume::{RawBatch, Tick};

/// The fields of an Avro message that are read.
const WANTED: [(&str, Option<&[&str]>); 2] = [("source", Some(&["lsn", "ts_ms"])), ("message", Some(&["prefix"]))];

/// A tick in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The tick.
    pub tick: Tick,
    /// When it was written to the topic, milliseconds since the epoch.
    pub at_ms: Option<i64>,
}

/// The ticks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The registry cannot be asked now.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A message cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Finds the ticks among the messages.
#[derive(Debug)]
pub struct TickDecoder {
    /// `None`: the messages are JSON.
    avro: Option<Avro>,
}

#[derive(Debug)]
struct Avro {
    registry: RegistryClient,
    /// By schema id.
    readers: HashMap<u32, AvroReader>,
}

impl TickDecoder {
    /// For Kafka Connect's JSON converter with schemas.
    pub fn json() -> Self {
        Self { avro: None }
    }

    /// For Avro in the Confluent wire format, with the schemas of `registry`.
    pub fn avro(registry: RegistryClient) -> Self {
        Self { avro: Some(Avro { registry, readers: HashMap::new() }) }
    }

    /// The last tick of these messages; `None`: all of them are messages of others.
    pub async fn last(&mut self, raw: &RawBatch) -> Result<Option<Written>, TickError> {
        for (index, message) in raw.messages.iter().enumerate().rev() {
            let Some(value) = raw.value(index) else { continue };
            let decoded = match &mut self.avro {
                None => json(value),
                Some(avro) => avro.message(value).await?,
            };
            if let Some(tick) = decoded.map_err(|kind| super::decode_error(raw, index, kind))?.tick(TICK_PREFIX) {
                return Ok(Some(Written { tick, at_ms: message.timestamp_ms }));
            }
        }
        Ok(None)
    }
}

/// What is read of a message.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    prefix: Option<String>,
    lsn: Option<i64>,
    ts_ms: Option<i64>,
}

impl Message {
    fn tick(&self, prefix: &str) -> Option<Tick> {
        let (lsn, ts_ms) = (self.lsn?, self.ts_ms?);
        (self.prefix.as_deref() == Some(prefix)).then_some(Tick { lsn: lsn.cast_unsigned(), ts_ms })
    }
}

fn json(value: &[u8]) -> Result<Message, DecodeErrorKind> {
    #[derive(Deserialize)]
    struct Value {
        payload: Option<Payload>,
    }
    #[derive(Deserialize)]
    struct Payload {
        source: Source,
        message: Content,
    }
    #[derive(Deserialize)]
    struct Source {
        lsn: Option<i64>,
        ts_ms: Option<i64>,
    }
    #[derive(Deserialize)]
    struct Content {
        prefix: Option<String>,
    }
    let value: Value = serde_json::from_slice(value).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => DecodeErrorKind::NotAMessage,
        _ => DecodeErrorKind::NotJson { part: "value" },
    })?;
    let Payload { source, message } = value.payload.ok_or(DecodeErrorKind::NoSchema { part: "value" })?;
    Ok(Message { prefix: message.prefix, lsn: source.lsn, ts_ms: source.ts_ms })
}

impl Avro {
    async fn message(&mut self, value: &[u8]) -> Result<Result<Message, DecodeErrorKind>, RegistryError> {
        let Some(id) = schema_id(value) else { return Ok(Err(DecodeErrorKind::NotConfluent { part: "value" })) };
        if !self.readers.contains_key(&id) {
            let schema = match avro::fetch(&self.registry, id, "value").await? {
                Ok(schema) => schema,
                Err(kind) => return Ok(Err(kind)),
            };
            self.readers.insert(id, AvroReader::of(id, &schema, &WANTED, 1));
        }
        let rows = self.readers.get_mut(&id).map(|reader| reader.read(std::iter::once(value)));
        Ok(rows
            .unwrap_or(Err(DecodeErrorKind::Damaged))
            .and_then(|rows| row(&rows).ok_or(DecodeErrorKind::NotAMessage)))
    }
}

/// The message in the one row of `rows`.
fn row(rows: &RecordBatch) -> Option<Message> {
    let part = |name: &str| rows.column_by_name(name)?.as_struct_opt();
    let (source, message): (&StructArray, &StructArray) = (part("source")?, part("message")?);
    let number = |name: &str| {
        let column = source.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(0).then(|| column.value(0))
    };
    let prefix = message.column_by_name("prefix")?.as_string_opt::<i32>()?;
    let prefix = prefix.is_valid(0).then(|| prefix.value(0).to_owned());
    Some(Message { prefix, lsn: number("lsn"), ts_ms: number("ts_ms") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{avro_messages, json_messages, message, raw_batch, registry::recorded};
    use super::*;

    /// What was recorded: a message within a transaction.
    fn recorded_message() -> Message {
        Message { prefix: Some("wm".to_owned()), lsn: Some(46_111_848), ts_ms: Some(1_795_248_800_863) }
    }

    fn ticking(prefix: &str, lsn: i64) -> Vec<u8> {
        let payload =
            serde_json::json!({"op": "m", "source": {"lsn": lsn, "ts_ms": 70}, "message": {"prefix": prefix}});
        serde_json::json!({"schema": {}, "payload": payload}).to_string().into_bytes()
    }

    #[test]
    fn a_recorded_json_message_says_where_in_the_log_it_was_and_when() {
        let value = json_messages("message").remove(0).value.unwrap();
        assert_eq!(json(&value), Ok(recorded_message()));
    }

    #[tokio::test]
    async fn a_recorded_avro_message_says_the_same() {
        let mut avro = Avro { registry: recorded().await, readers: HashMap::new() };
        let mut read = Vec::new();
        for message in avro_messages("message") {
            read.push(avro.message(&message.value.unwrap()).await.unwrap().unwrap());
        }
        assert_eq!((&read[0], read[1].prefix.as_deref()), (&recorded_message(), Some("wm2")));
        assert_eq!(avro.readers.len(), 1, "the schema is parsed once");
    }

    #[tokio::test]
    async fn the_last_tick_counts_and_the_messages_of_others_do_not() {
        let values = [ticking("tributary", 5), ticking("tributary", 6), ticking("orders", 7)];
        let messages = (0..).zip(values).map(|(offset, value)| message(offset, value));
        let found = TickDecoder::json().last(&raw_batch(messages)).await.unwrap();
        assert_eq!(found.map(|found| found.tick), Some(Tick { lsn: 6, ts_ms: 70 }));
        let of_others = raw_batch([message(0, ticking("orders", 7)), message(1, ticking("tributary.not", 8))]);
        assert_eq!(TickDecoder::json().last(&of_others).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_message_of_the_log_is_an_error_that_says_what_to_do() {
        for (value, words) in [("{", "is not JSON"), ("{}", "schemas.enable=true"), (r#"{"payload":{}}"#, "transforms")]
        {
            let error = TickDecoder::json().last(&raw_batch([message(3, value)])).await.unwrap_err().to_string();
            assert!(error.contains("offset 3 of topic") && error.contains(words), "{error}");
        }
        let mut avro = TickDecoder::avro(recorded().await);
        let error = avro.last(&raw_batch([message(3, "{}")])).await.unwrap_err().to_string();
        assert!(error.contains("Confluent wire format"), "{error}");
    }
}
