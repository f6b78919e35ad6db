//! The recorded events and the places in them that differ from event to event.

use anyhow::Context;
use serde::Deserialize;

/// What `data/orders.json` holds.
#[derive(Deserialize)]
pub(super) struct Recorded {
    pub(super) json: RecordedJson,
    pub(super) avro: RecordedAvro,
}

#[derive(Deserialize)]
pub(super) struct RecordedJson {
    pub(super) snapshot: RecordedEvent,
    pub(super) update: RecordedEvent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedAvro {
    pub(super) snapshot: RecordedEvent,
    pub(super) update: RecordedEvent,
    pub(super) key_schema: String,
    pub(super) value_schema: String,
}

/// A message as it was in Kafka: JSON as text, Avro in base64.
#[derive(Deserialize)]
pub(super) struct RecordedEvent {
    pub(super) key: String,
    pub(super) value: String,
    /// In the order in which they stand in the value; the first one is the key.
    pub(super) marks: Vec<Mark>,
}

/// A field and what was recorded in it.
#[derive(Deserialize)]
pub(super) struct Mark {
    pub(super) field: Field,
    pub(super) recorded: serde_json::Value,
}

/// A field that differs from event to event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Field {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "user_id")]
    UserId,
    /// Recorded in cents.
    #[serde(rename = "total")]
    Total,
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "placed_at")]
    PlacedAt,
    #[serde(rename = "note")]
    Note,
    #[serde(rename = "source.ts_ms")]
    SourceMs,
    #[serde(rename = "source.ts_us")]
    SourceUs,
    #[serde(rename = "source.ts_ns")]
    SourceNs,
    #[serde(rename = "source.snapshot")]
    Snapshot,
    #[serde(rename = "source.sequence")]
    Sequence,
    #[serde(rename = "source.txId")]
    TransactionNumber,
    #[serde(rename = "source.lsn")]
    Lsn,
    #[serde(rename = "transaction.id")]
    TransactionId,
    #[serde(rename = "ts_ms")]
    Ms,
    #[serde(rename = "ts_us")]
    Us,
    #[serde(rename = "ts_ns")]
    Ns,
}

impl Field {
    /// The field's name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id | Self::TransactionId => "id",
            Self::UserId => "user_id",
            Self::Total => "total",
            Self::Status => "status",
            Self::PlacedAt => "placed_at",
            Self::Note => "note",
            Self::SourceMs | Self::Ms => "ts_ms",
            Self::SourceUs | Self::Us => "ts_us",
            Self::SourceNs | Self::Ns => "ts_ns",
            Self::Snapshot => "snapshot",
            Self::Sequence => "sequence",
            Self::TransactionNumber => "txId",
            Self::Lsn => "lsn",
        }
    }
}

pub(super) fn recorded() -> anyhow::Result<Recorded> {
    serde_json::from_str(include_str!("../../data/orders.json")).context("data/orders.json is not what it should be")
}
