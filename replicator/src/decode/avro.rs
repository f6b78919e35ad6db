//! Messages in the Confluent wire format: a zero byte, the id of the writer schema in four bytes, Avro.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema as ArrowAvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

use super::avro_schema::AvroSchema;
use super::connect_schema::ConnectSchema;
use super::envelope::SOURCE_FIELDS;
use super::error::DecodeErrorKind;
use super::registry::{RegisteredSchema, RegistryClient, RegistryError};

/// The id of the schema that a message was written with.
pub(super) fn schema_id(message: &[u8]) -> Option<u32> {
    let (magic, rest) = message.split_first()?;
    let id = rest.first_chunk::<4>()?;
    (*magic == 0).then(|| u32::from_be_bytes(*id))
}

/// Reads messages of one writer schema.
#[derive(Debug)]
pub(super) struct AvroReader {
    id: u32,
    writer: String,
    reader: String,
    batch_size: usize,
    decoder: Option<Decoder>,
}

impl AvroReader {
    /// Reads `after`, `op`, the position of the source, and the key columns of `before`; at most `batch_size` rows at
    /// a time.
    pub(super) fn new(id: u32, schema: &AvroSchema, key: &[String], batch_size: usize) -> Self {
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        let mut wanted = vec![("after", None), ("op", None), ("source", Some(SOURCE_FIELDS.as_slice()))];
        if !key.is_empty() {
            wanted.push(("before", Some(&key)));
        }
        Self::of(id, schema, &wanted, batch_size)
    }

    /// Reads the fields that `wanted` names, as [`AvroSchema::reader`] takes them.
    pub(super) fn of(id: u32, schema: &AvroSchema, wanted: &[(&str, Option<&[&str]>)], batch_size: usize) -> Self {
        let (writer, reader) = (schema.writer().to_string(), schema.reader(wanted).to_string());
        Self { id, writer, reader, batch_size, decoder: None }
    }

    /// Reads messages, one row each.
    pub(super) fn read<'a>(
        &mut self,
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> Result<RecordBatch, DecodeErrorKind> {
        // After an error the decoder would hold half a row: it is put back only when all went well.
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => self.decoder()?,
        };
        for (index, message) in messages.enumerate() {
            let used = decoder.decode(message).map_err(|_| DecodeErrorKind::Damaged)?;
            if used != message.len() || decoder.batch_size() - decoder.capacity() != index + 1 {
                return Err(DecodeErrorKind::Damaged);
            }
        }
        let rows = decoder.flush().ok().flatten().ok_or(DecodeErrorKind::Damaged)?;
        self.decoder = Some(decoder);
        Ok(rows)
    }

    fn decoder(&self) -> Result<Decoder, DecodeErrorKind> {
        let bad =
            |error: arrow_schema::ArrowError| DecodeErrorKind::BadSchema { part: "value", reason: error.to_string() };
        let id = Fingerprint::Id(self.id);
        let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
        store.set(id, ArrowAvroSchema::new(self.writer.clone())).map_err(bad)?;
        ReaderBuilder::new()
            .with_writer_schema_store(store)
            .with_active_fingerprint(id)
            .with_reader_schema(ArrowAvroSchema::new(self.reader.clone()))
            .with_batch_size(self.batch_size)
            .build_decoder()
            .map_err(bad)
    }
}

/// A sentence for each column whose nulls the converter replaces.
pub(super) fn warnings(row: &ConnectSchema) -> Vec<String> {
    let replaced = row.fields().iter().filter(|field| field.schema.optional && field.schema.default.is_some());
    let sentence = |name: &str| {
        format!(
            "NULL in column {name:?} may arrive as the column's default: Avro converters put it there. Use JSON, or \
             Confluent's converter with ignore.default.for.nullables=true."
        )
    };
    replaced.map(|field| sentence(&field.name)).collect()
}

/// A schema of the registry.
pub(super) async fn fetch(
    registry: &RegistryClient,
    id: u32,
    part: &'static str,
) -> Result<Result<Arc<AvroSchema>, DecodeErrorKind>, RegistryError> {
    Ok(match registry.schema(id).await? {
        RegisteredSchema::Avro(schema) => parse(id, part, &schema),
        RegisteredSchema::Other => Err(DecodeErrorKind::NotAvro { id }),
        RegisteredSchema::Unknown => Err(DecodeErrorKind::UnknownSchemaId { part, id }),
    })
}

fn parse(id: u32, part: &'static str, schema: &str) -> Result<Arc<AvroSchema>, DecodeErrorKind> {
    let schema = AvroSchema::parse(schema).map_err(|reason| DecodeErrorKind::BadSchema { part, reason })?;
    // Of a key only the names of its columns are read.
    if part == "value" && schema.connect.semantic.is_none() {
        return Err(DecodeErrorKind::NoConnectNames { id });
    }
    Ok(Arc::new(schema))
}
