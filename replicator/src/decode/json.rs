//! Messages of Kafka Connect's JSON converter: schema and payload side by side.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::connect_schema::{ConnectSchema, Kind};
use super::envelope::{SOURCE_FIELDS, row_schema};
use super::error::DecodeErrorKind;

/// A message taken apart, without a look into its payload.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    schema: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// Keeps a null apart from a field that is not there.
fn present<'a, D: Deserializer<'a>>(field: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

/// Distinct schemas seen so far, found again by comparing bytes.
#[derive(Debug)]
pub(super) struct JsonSchemas<T> {
    /// `key` or `value`.
    part: &'static str,
    /// Bytes before the payload (`{"schema":…,"payload":`), and what the schema was parsed to.
    known: Vec<(Box<[u8]>, T)>,
    last: usize,
}

impl<T> JsonSchemas<T> {
    pub(super) fn new(part: &'static str) -> Self {
        Self { part, known: Vec::new(), last: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.known.get(index).map(|(_, parsed)| parsed)
    }

    /// The index of the message's schema and where its payload lies; `parse` is called for a schema not seen before.
    /// `None`: the payload is null.
    pub(super) fn split(
        &mut self,
        message: &[u8],
        parse: impl FnOnce(ConnectSchema) -> Result<T, DecodeErrorKind>,
    ) -> Result<Option<(usize, Range<usize>)>, DecodeErrorKind> {
        let index = match self.find(message) {
            Some(index) => index,
            None => match self.learn(message, parse)? {
                Learned::Null => return Ok(None),
                Learned::Prefix(index) => index,
                Learned::Elsewhere(index, payload) => return Ok(Some((index, payload))),
            },
        };
        self.last = index;
        let payload = self.known[index].0.len()..message.len() - 1;
        Ok((&message[payload.clone()] != b"null").then_some((index, payload)))
    }

    /// Compares with the last message's schema first. A payload of nothing would mean that the message is cut off.
    fn find(&self, message: &[u8]) -> Option<usize> {
        let fits = |index: &usize| {
            self.known.get(*index).is_some_and(|(prefix, _)| {
                message.len() > prefix.len() + 1 && message.starts_with(prefix) && message.ends_with(b"}")
            })
        };
        Some(self.last).filter(fits).or_else(|| (0..self.known.len()).find(fits))
    }

    fn learn(
        &mut self,
        message: &[u8],
        parse: impl FnOnce(ConnectSchema) -> Result<T, DecodeErrorKind>,
    ) -> Result<Learned, DecodeErrorKind> {
        let part = self.part;
        let not_json = |_| DecodeErrorKind::NotJson { part };
        let text = str::from_utf8(message).map_err(|_| DecodeErrorKind::NotJson { part })?;
        let Ok(parts) = serde_json::from_str::<Parts<'_>>(text) else {
            // JSON, but no object: not what the converter writes with schemas on.
            serde_json::from_str::<&RawValue>(text).map_err(not_json)?;
            return Err(DecodeErrorKind::NoSchema { part });
        };
        let (Some(schema), Some(payload)) = (parts.schema, parts.payload) else {
            return Err(DecodeErrorKind::NoSchema { part });
        };
        let (schema, payload) = (schema.get(), payload.get());
        if payload == "null" {
            return Ok(Learned::Null);
        }
        if schema == "null" {
            return Err(DecodeErrorKind::NoSchema { part });
        }
        let prefix = format!(r#"{{"schema":{schema},"payload":"#).into_bytes();
        let known = self.known.iter().position(|(known, _)| **known == *prefix);
        let index = known.unwrap_or(self.known.len());
        if known.is_none() {
            let schema = ConnectSchema::from_json(schema)
                .map_err(|error| DecodeErrorKind::BadSchema { part, reason: error.to_string() })?;
            self.known.push((prefix.into(), parse(schema)?));
        }
        if self.find(message) == Some(index) {
            return Ok(Learned::Prefix(index));
        }
        // Written by something else than Connect's converter: other white space or order.
        let start = payload.as_ptr().addr() - message.as_ptr().addr();
        Ok(Learned::Elsewhere(index, start..start + payload.len()))
    }
}

/// What there was to learn from a message whose first bytes were not known.
enum Learned {
    /// The payload is null.
    Null,
    /// The message starts with the bytes of this schema.
    Prefix(usize),
    /// It does not; the payload is there.
    Elsewhere(usize, Range<usize>),
}

/// Reads payloads of one schema.
#[derive(Debug)]
pub(super) struct JsonReader {
    schema: SchemaRef,
    batch_size: usize,
    decoder: Option<Decoder>,
}

impl JsonReader {
    /// Reads `after`, `op`, the position of the source, and the key columns of `before`; at most `batch_size` rows at
    /// a time.
    pub(super) fn new(value: &ConnectSchema, key: &[String], batch_size: usize) -> Result<Self, DecodeErrorKind> {
        let row = row_schema(value)?;
        let source = value.field("source").ok_or(DecodeErrorKind::NotAnEnvelope)?;
        let mut fields = vec![
            column("after", DataType::Struct(columns(row, |_| true))),
            column("op", DataType::Utf8),
            column("source", DataType::Struct(columns(source, |name| SOURCE_FIELDS.contains(&name)))),
        ];
        if !key.is_empty() {
            fields.push(column("before", DataType::Struct(columns(row, |name| key.iter().any(|key| key == name)))));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), batch_size, decoder: None })
    }

    /// Reads payloads, one row each.
    pub(super) fn read<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<RecordBatch, DecodeErrorKind> {
        // After an error the decoder would hold half a row: it is put back only when all went well.
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => ReaderBuilder::new(Arc::clone(&self.schema))
                .with_batch_size(self.batch_size)
                .build_decoder()
                .map_err(|_| DecodeErrorKind::Damaged)?,
        };
        for (index, payload) in payloads.enumerate() {
            let used = decoder.decode(payload).map_err(|_| DecodeErrorKind::Damaged)?;
            // The decoder reads any number of rows from a stream: insist on one row per message.
            if used != payload.len() || decoder.has_partial_record() || decoder.len() != index + 1 {
                return Err(DecodeErrorKind::Damaged);
            }
        }
        let rows = decoder.flush().ok().flatten().ok_or(DecodeErrorKind::Damaged)?;
        self.decoder = Some(decoder);
        Ok(rows)
    }
}

fn column(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// Fields that cannot be read are left out here; [`super::envelope::Envelope`] refuses the columns among them.
fn columns(schema: &ConnectSchema, wanted: impl Fn(&str) -> bool) -> Fields {
    let fields = schema.fields().iter().filter(|field| wanted(&field.name));
    fields.filter_map(|field| Some(column(&field.name, raw_type(&field.schema)?))).collect()
}

/// What arrow-json reads a value as.
fn raw_type(schema: &ConnectSchema) -> Option<DataType> {
    Some(match &schema.kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Int8 => DataType::Int8,
        Kind::Int16 => DataType::Int16,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Float32 => DataType::Float32,
        Kind::Float64 => DataType::Float64,
        // Bytes are base64.
        Kind::String | Kind::Bytes => DataType::Utf8,
        Kind::Array(items) => DataType::List(column("element", raw_type(items)?)),
        Kind::Map(values) => {
            let key = Arc::new(Field::new("key", DataType::Utf8, false));
            let entry = DataType::Struct(Fields::from(vec![key, column("value", raw_type(values)?)]));
            DataType::Map(Arc::new(Field::new("key_value", entry, false)), false)
        }
        Kind::Struct(_) => DataType::Struct(columns(schema, |_| true)),
        Kind::Other(_) => return None,
    })
}
