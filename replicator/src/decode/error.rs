//! Why a message cannot be decoded, and what to do about it.

use std::sync::Arc;

/// A message that cannot be decoded. The text never holds a value of a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode offset {offset} of {topic}, partition {partition}: {kind}")]
pub struct DecodeError {
    /// Topic of the message.
    pub topic: Arc<str>,
    /// Partition of the message.
    pub partition: i32,
    /// Kafka offset of the message.
    pub offset: i64,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The value or key is not JSON.
    #[error(
        "the {part} is not JSON. Something other than the connector wrote to the topic, or the connector's \
         {part}.converter is not org.apache.kafka.connect.json.JsonConverter"
    )]
    NotJson {
        /// `key` or `value`.
        part: &'static str,
    },
    /// JSON without its schema: scales and units of time cannot be known.
    #[error("the {part} is JSON without a schema. Set {part}.converter.schemas.enable=true in the connector")]
    NoSchema {
        /// `key` or `value`.
        part: &'static str,
    },
    /// The schema is there but is no Connect or Avro schema.
    #[error("the schema of the {part} cannot be understood: {reason}")]
    BadSchema {
        /// `key` or `value`.
        part: &'static str,
        /// What the parser says; schemas hold no values of rows.
        reason: String,
    },
    /// No magic byte, or too short for a schema id.
    #[error(
        "the {part} is not Avro in the Confluent wire format (a zero byte and a schema id of four bytes). Check the \
         connector's {part}.converter; for Apicurio's converter set apicurio.registry.as-confluent=true, \
         apicurio.registry.use-id=contentId and apicurio.registry.headers.enabled=false"
    )]
    NotConfluent {
        /// `key` or `value`.
        part: &'static str,
    },
    /// The registry has no schema of this id.
    #[error(
        "the schema registry knows no schema with id {id}, which the {part} was written with. Check that the \
         registry's URL is the one that the connector's converter writes to and that its data was not lost"
    )]
    UnknownSchemaId {
        /// `key` or `value`.
        part: &'static str,
        /// The id in the message.
        id: u32,
    },
    /// The schema of this id is Protobuf or JSON Schema, or refers to other schemas.
    #[error("schema {id} of the registry is not a self-contained Avro schema. Use the registry's Avro converter")]
    NotAvro {
        /// The id in the message.
        id: u32,
    },
    /// An Avro schema without `connect.name`: a timestamp could not be told from a number.
    #[error(
        "Avro schema {id} carries no Connect names, so a timestamp looks like a number. Set \
         value.converter.connect.meta.data=true in the connector"
    )]
    NoConnectNames {
        /// The id in the message.
        id: u32,
    },
    /// The value schema has no `before`, `after`, `op` and `source`.
    #[error(
        "the value is not a Debezium envelope (fields before, after, source, op). Remove transforms that unwrap it, \
         such as ExtractNewRecordState, from the connector"
    )]
    NotAnEnvelope,
    /// The value has no `source` and `message`.
    #[error(
        "the value is not a message of Debezium that was written into the source's log (fields source, message). Remove \
         transforms that change it from the connector"
    )]
    NotAMessage,
    /// The key is not a struct of columns.
    #[error("the key is not a struct of key columns. Remove transforms that change the key from the connector")]
    KeyNotAStruct,
    /// A field of the key is no column of the row.
    #[error(
        "the key has a field {column:?} that is no column of the row. Remove transforms that change the key from the \
         connector"
    )]
    KeyColumnMissing {
        /// Name of the field in the key.
        column: String,
    },
    /// The payload does not fit the schema that came with it.
    #[error("the value is damaged: it does not fit its own schema")]
    Damaged,
    /// An `op` that is none of r, c, u, d, t, m.
    #[error("the operation {op:?} is not known. Use a release of Debezium that Tributary supports")]
    UnsupportedOp {
        /// The operation, cut to a few characters.
        op: String,
    },
    /// The row that the operation needs is not there.
    #[error("the event with operation {op:?} has no {field:?}. Check the transforms of the connector")]
    RowMissing {
        /// The operation.
        op: char,
        /// `before` or `after`.
        field: &'static str,
    },
    /// `source.sequence` is not a pair of log sequence numbers.
    #[error("source.sequence is not a pair of log sequence numbers. Only Debezium's Postgres connector is supported")]
    BadSequence,
    /// A column of a type that cannot be held.
    #[error(
        "column {column:?} has the type {column_type}, which Tributary cannot write to Delta. Leave the column out \
         with column.exclude.list in the connector"
    )]
    UnsupportedType {
        /// Name of the column.
        column: String,
        /// Semantic name or Connect type.
        column_type: String,
    },
    /// A value that the Delta type of its column cannot hold.
    #[error(
        "a value of column {column:?} is out of the range of its type {column_type} in Delta. Change the value at the \
         source, or leave the column out with column.exclude.list in the connector"
    )]
    OutOfRange {
        /// Name of the column.
        column: String,
        /// Semantic name or Connect type.
        column_type: String,
    },
    /// A value that is not written as its type says.
    #[error(
        "a value of column {column:?} is not written as its type {column_type} says. Check the transforms and \
         the converter of the connector (decimal.format must be BASE64)"
    )]
    Malformed {
        /// Name of the column.
        column: String,
        /// Semantic name or Connect type.
        column_type: String,
    },
}
