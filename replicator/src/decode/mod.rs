//! Debezium envelope, JSON (arrow-json) or Avro (arrow-avro), whole batches → Arrow; semantic types, column by column.

mod avro;
mod avro_schema;
mod column;
mod connect_schema;
mod envelope;
mod error;
mod format;
mod json;
mod plan;
mod position;
mod registry;
mod tick;
mod toast;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::error::{DecodeError, DecodeErrorKind};
use self::format::{AvroFormat, Format, JsonFormat, KeyNames};
use self::plan::{Plan, Record};
pub use self::registry::{RegistryClient, RegistryConfig, RegistryError};
pub use self::tick::{TickDecoder, TickError, Written};
use self::toast::Placeholder;
use crate::change::ChangeBatch;
use crate::consume::RawBatch;

/// Messages that are decoded at a time; bounds what arrow-json buffers.
const BATCH_SIZE: usize = 4096;

/// Decodes the messages of one table. Remembers the schemas it has seen and the key of the table.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    /// Messages without a key (truncates) tell nothing of the key columns, so those last seen count.
    key: KeyNames,
    plans: Vec<Plan>,
    last_plan: usize,
    placeholder: Placeholder,
}

/// What could be decoded of a [`RawBatch`].
#[derive(Debug)]
pub struct Decoded {
    /// Changes in offset order. Messages that are no changes (tombstones, logical messages) leave nothing.
    pub changes: Vec<ChangeBatch>,
    /// The offset to go on from: after the last message, or that of the message in `failure`. 0 for an empty batch.
    pub next_offset: i64,
    /// The first message that cannot be decoded; everything before it is in `changes`.
    pub failure: Option<DecodeError>,
}

/// Consecutive messages with one plan.
struct Run {
    plan: usize,
    records: Vec<Record>,
    /// Index after the last message of the run.
    end: usize,
    /// The message at `end` cannot be decoded.
    failure: Option<DecodeErrorKind>,
}

impl Decoder {
    /// For Kafka Connect's JSON converter with schemas.
    pub fn json() -> Self {
        Self::new(Format::Json(JsonFormat::new()))
    }

    /// For Avro in the Confluent wire format, with the schemas of `registry`.
    pub fn avro(registry: RegistryClient) -> Self {
        Self::new(Format::Avro(AvroFormat::new(registry)))
    }

    fn new(format: Format) -> Self {
        Self { format, key: KeyNames::default(), plans: Vec::new(), last_plan: 0, placeholder: Placeholder::default() }
    }

    /// Decodes the messages of `raw`. `Err`: nothing was decoded, since the schema registry cannot be asked now; the
    /// same call may succeed later.
    pub async fn decode(&mut self, raw: &RawBatch) -> Result<Decoded, RegistryError> {
        self.decode_from(raw, 0).await
    }

    /// As [`Decoder::decode`], from the message at index `from` on; for going on after a message that failed.
    pub async fn decode_from(&mut self, raw: &RawBatch, from: usize) -> Result<Decoded, RegistryError> {
        if self.format.is_full() {
            self.format.forget();
            self.plans.clear();
        }
        if let Format::Avro(avro) = &mut self.format {
            avro.fetch_schemas(raw, from).await?;
        }
        Ok(self.decode_runs(raw, from))
    }

    /// All schemas are known now: the rest is computing.
    fn decode_runs(&mut self, raw: &RawBatch, from: usize) -> Decoded {
        let next_offset = raw.next_offset().unwrap_or_default();
        let mut decoded = Decoded { changes: Vec::new(), next_offset, failure: None };
        let mut index = from;
        self.placeholder.become_that_of(raw.placeholder.as_deref());
        while index < raw.messages.len() && decoded.failure.is_none() {
            let run = self.next_run(raw, index);
            index = run.end;
            let mut failure = run.failure.map(|kind| (run.end, kind));
            if !run.records.is_empty() {
                let (changes, failed) = self.plans[run.plan].decode(raw, &run.records, &self.placeholder);
                decoded.changes.extend(changes);
                failure = failed.map(|(record, kind)| (run.records[record].0, kind)).or(failure);
            }
            decoded.failure = failure.map(|(index, kind)| decode_error(raw, index, kind));
        }
        if let Some(failure) = &decoded.failure {
            decoded.next_offset = failure.offset;
        }
        decoded
    }

    /// The run that starts at `from`: it ends where the schema or the key changes, or a message cannot be taken apart.
    fn next_run(&mut self, raw: &RawBatch, from: usize) -> Run {
        let mut run = Run { plan: 0, records: Vec::new(), end: from, failure: None };
        while run.end < raw.messages.len() && run.records.len() < BATCH_SIZE {
            match self.frame(raw, run.end) {
                Ok(Some((plan, payload))) => {
                    if !run.records.is_empty() && plan != run.plan {
                        break;
                    }
                    run.plan = plan;
                    run.records.push((run.end, payload));
                }
                Ok(None) => {}
                Err(kind) => {
                    run.failure = Some(kind);
                    break;
                }
            }
            run.end += 1;
        }
        run
    }

    /// The plan for message `index` and where its payload lies. `None`: there is nothing to decode.
    fn frame(
        &mut self,
        raw: &RawBatch,
        index: usize,
    ) -> Result<Option<(usize, std::ops::Range<usize>)>, DecodeErrorKind> {
        let Some(value) = raw.value(index) else { return Ok(None) };
        let Some((schema, payload)) = self.format.frame(value)? else { return Ok(None) };
        if let Some(key) = raw.key(index)
            && let Some(names) = self.format.key_names(key)?
        {
            self.key = names;
        }
        Ok(Some((self.plan(schema)?, payload)))
    }

    /// The plan for a value schema and the current key.
    fn plan(&mut self, schema: u32) -> Result<usize, DecodeErrorKind> {
        let key = &self.key;
        let fits = |plan: &Plan| plan.schema == schema && (Arc::ptr_eq(&plan.key, key) || plan.key == *key);
        if self.plans.get(self.last_plan).is_some_and(fits) {
            return Ok(self.last_plan);
        }
        let known = self.plans.iter().position(fits);
        if known.is_none() {
            self.plans.push(self.format.plan(schema, Arc::clone(key), BATCH_SIZE)?);
        }
        self.last_plan = known.unwrap_or(self.plans.len() - 1);
        Ok(self.last_plan)
    }
}

fn decode_error(raw: &RawBatch, index: usize, kind: DecodeErrorKind) -> DecodeError {
    let offset = raw.messages.get(index).map(|message| message.offset).unwrap_or_default();
    DecodeError { topic: Arc::clone(&raw.topic), partition: raw.partition, offset, kind }
}
