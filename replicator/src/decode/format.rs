//! The two formats of messages: which schema a message has, which columns are its key, where its payload lies.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::avro::{self, AvroReader, schema_id};
use super::avro_schema::AvroSchema;
use super::connect_schema::{ConnectSchema, Kind};
use super::envelope::{Envelope, is_logical_message, row_schema};
use super::error::DecodeErrorKind;
use super::json::{JsonReader, JsonSchemas};
use super::plan::{Plan, Reader};
use super::registry::{RegistryClient, RegistryError};
use crate::consume::RawBatch;

/// Names of the key columns, in key order.
pub(super) type KeyNames = Arc<[String]>;

/// Schemas and plans that one decoder remembers; a table has few, but a broken producer may have no end of them.
const MAX_SCHEMAS: usize = 64;

/// How messages are written.
#[derive(Debug)]
pub(super) enum Format {
    Json(JsonFormat),
    Avro(AvroFormat),
}

impl Format {
    /// The schema of a value and where its payload lies. `None`: there is nothing to decode.
    pub(super) fn frame(&mut self, value: &[u8]) -> Result<Option<(u32, Range<usize>)>, DecodeErrorKind> {
        match self {
            Self::Json(json) => json.frame(value),
            Self::Avro(avro) => avro.frame(value),
        }
    }

    /// The key columns that a message key names. `None`: the key is null.
    pub(super) fn key_names(&mut self, key: &[u8]) -> Result<Option<KeyNames>, DecodeErrorKind> {
        match self {
            Self::Json(json) => json.key_names(key),
            Self::Avro(avro) => avro.key_names(key).map(Some),
        }
    }

    /// How messages with this schema and this key are decoded.
    pub(super) fn plan(&self, schema: u32, key: KeyNames, batch_size: usize) -> Result<Plan, DecodeErrorKind> {
        match self {
            Self::Json(json) => json.plan(schema, key, batch_size),
            Self::Avro(avro) => avro.plan(schema, key, batch_size),
        }
    }

    /// Whether so many schemas are known that it is time to forget them.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Json(json) => json.values.len().max(json.keys.len()) > MAX_SCHEMAS,
            Self::Avro(avro) => avro.values.len().max(avro.keys.len()) > MAX_SCHEMAS,
        }
    }

    /// Forgets all schemas. Plans made from them must be dropped too: numbers of schemas start again.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Json(json) => *json = JsonFormat::new(),
            Self::Avro(avro) => *avro = AvroFormat::new(avro.registry.clone()),
        }
    }
}

/// JSON with schemas.
#[derive(Debug)]
pub(super) struct JsonFormat {
    /// `None`: the schema of logical messages.
    values: JsonSchemas<Option<ConnectSchema>>,
    keys: JsonSchemas<KeyNames>,
}

impl JsonFormat {
    pub(super) fn new() -> Self {
        Self { values: JsonSchemas::new("value"), keys: JsonSchemas::new("key") }
    }

    fn frame(&mut self, value: &[u8]) -> Result<Option<(u32, Range<usize>)>, DecodeErrorKind> {
        let split = self.values.split(value, |schema| {
            if is_logical_message(&schema) {
                return Ok(None);
            }
            row_schema(&schema)?;
            Ok(Some(schema))
        })?;
        let change = split.filter(|(index, _)| self.values.get(*index).is_some_and(Option::is_some));
        Ok(change.map(|(index, payload)| (index as u32, payload)))
    }

    fn key_names(&mut self, key: &[u8]) -> Result<Option<KeyNames>, DecodeErrorKind> {
        let split = self.keys.split(key, |schema| key_names(&schema))?;
        Ok(split.and_then(|(index, _)| self.keys.get(index).cloned()))
    }

    fn plan(&self, schema: u32, key: KeyNames, batch_size: usize) -> Result<Plan, DecodeErrorKind> {
        let value = self.values.get(schema as usize).and_then(Option::as_ref).ok_or(DecodeErrorKind::NotAnEnvelope)?;
        // The connector is set up so that null stays null (replace.null.with.default=false); JSON cannot tell.
        let envelope = Envelope::new(value, &key, |_| Vec::new())?;
        let reader = Reader::Json(JsonReader::new(value, &key, batch_size)?);
        Ok(Plan { schema, key, envelope, reader })
    }
}

/// Avro with a schema registry.
#[derive(Debug)]
pub(super) struct AvroFormat {
    registry: RegistryClient,
    /// By schema id; `None`: the schema of logical messages.
    values: HashMap<u32, Result<Option<Arc<AvroSchema>>, DecodeErrorKind>>,
    keys: HashMap<u32, Result<KeyNames, DecodeErrorKind>>,
}

impl AvroFormat {
    pub(super) fn new(registry: RegistryClient) -> Self {
        Self { registry, values: HashMap::new(), keys: HashMap::new() }
    }

    /// Makes sure that the schemas of all messages from index `from` on are known, or known not to exist.
    pub(super) async fn fetch_schemas(&mut self, raw: &RawBatch, from: usize) -> Result<(), RegistryError> {
        // A schema that the registry did not have may be there now.
        self.values.retain(|_, schema| !matches!(schema, Err(DecodeErrorKind::UnknownSchemaId { .. })));
        self.keys.retain(|_, names| !matches!(names, Err(DecodeErrorKind::UnknownSchemaId { .. })));
        for index in from..raw.messages.len() {
            if let Some(id) = raw.value(index).and_then(schema_id).filter(|id| !self.values.contains_key(id)) {
                let schema = avro::fetch(&self.registry, id, "value").await?.and_then(check_value);
                self.values.insert(id, schema);
            }
            if let Some(id) = raw.key(index).and_then(schema_id).filter(|id| !self.keys.contains_key(id)) {
                let names = avro::fetch(&self.registry, id, "key").await?.and_then(|schema| key_names(&schema.connect));
                self.keys.insert(id, names);
            }
        }
        Ok(())
    }

    fn frame(&self, value: &[u8]) -> Result<Option<(u32, Range<usize>)>, DecodeErrorKind> {
        let id = schema_id(value).ok_or(DecodeErrorKind::NotConfluent { part: "value" })?;
        let schema = self.values.get(&id).ok_or(DecodeErrorKind::UnknownSchemaId { part: "value", id })?;
        match schema {
            Ok(schema) => Ok(schema.is_some().then_some((id, 0..value.len()))),
            Err(kind) => Err(kind.clone()),
        }
    }

    fn key_names(&self, key: &[u8]) -> Result<KeyNames, DecodeErrorKind> {
        let id = schema_id(key).ok_or(DecodeErrorKind::NotConfluent { part: "key" })?;
        self.keys.get(&id).cloned().unwrap_or(Err(DecodeErrorKind::UnknownSchemaId { part: "key", id }))
    }

    fn plan(&self, id: u32, key: KeyNames, batch_size: usize) -> Result<Plan, DecodeErrorKind> {
        let Some(Ok(Some(schema))) = self.values.get(&id) else { return Err(DecodeErrorKind::NotAnEnvelope) };
        let envelope = Envelope::new(&schema.connect, &key, avro::warnings)?;
        let reader = Reader::Avro(AvroReader::new(id, schema, &key, batch_size));
        Ok(Plan { schema: id, key, envelope, reader })
    }
}

/// `None`: the schema of logical messages.
fn check_value(schema: Arc<AvroSchema>) -> Result<Option<Arc<AvroSchema>>, DecodeErrorKind> {
    if is_logical_message(&schema.connect) {
        return Ok(None);
    }
    row_schema(&schema.connect)?;
    Ok(Some(schema))
}

fn key_names(key: &ConnectSchema) -> Result<KeyNames, DecodeErrorKind> {
    match &key.kind {
        Kind::Struct(fields) => Ok(fields.iter().map(|field| field.name.clone()).collect()),
        _ => Err(DecodeErrorKind::KeyNotAStruct),
    }
}
