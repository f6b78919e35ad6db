//! How messages of one schema are decoded, many at a time.

use std::ops::Range;

use super::avro::AvroReader;
use super::envelope::Envelope;
use super::error::DecodeErrorKind;
use super::format::KeyNames;
use super::json::JsonReader;
use super::toast::Placeholder;
use crate::change::ChangeBatch;
use crate::consume::RawBatch;

/// A message to decode: its index, and where in its value the payload lies.
pub(super) type Record = (usize, Range<usize>);

/// The way from messages of one value schema and one key to change batches.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) schema: u32,
    pub(super) key: KeyNames,
    pub(super) envelope: Envelope,
    pub(super) reader: Reader,
}

/// What reads the payloads.
#[derive(Debug)]
pub(super) enum Reader {
    Json(JsonReader),
    Avro(AvroReader),
}

impl Plan {
    /// Decodes as many records as can be: all of them, or those before the first that cannot be, with its place in
    /// `records` and the reason.
    pub(super) fn decode(
        &mut self,
        raw: &RawBatch,
        records: &[Record],
        placeholder: &Placeholder,
    ) -> (Option<ChangeBatch>, Option<(usize, DecodeErrorKind)>) {
        let mut decode = |records: &[Record]| self.decode_all(raw, records, placeholder);
        match decode(records) {
            Ok(changes) => (changes, None),
            Err(kind) => decode_until_failure(decode, records, kind),
        }
    }

    fn decode_all(
        &mut self,
        raw: &RawBatch,
        records: &[Record],
        placeholder: &Placeholder,
    ) -> Result<Option<ChangeBatch>, DecodeErrorKind> {
        let payloads = records.iter().map(|(index, payload)| &raw.value(*index).unwrap_or_default()[payload.clone()]);
        let rows = match &mut self.reader {
            Reader::Json(reader) => reader.read(payloads)?,
            Reader::Avro(reader) => reader.read(payloads)?,
        };
        self.envelope.changes(&rows, records.iter().map(|(index, _)| &raw.messages[*index]), placeholder)
    }
}

/// Halves the records until it is clear which one fails: a batch of readable records can always be read.
fn decode_until_failure(
    mut decode: impl FnMut(&[Record]) -> Result<Option<ChangeBatch>, DecodeErrorKind>,
    records: &[Record],
    mut kind: DecodeErrorKind,
) -> (Option<ChangeBatch>, Option<(usize, DecodeErrorKind)>) {
    let (mut readable, mut failing) = (0, records.len());
    let mut changes = None;
    while failing - readable > 1 {
        let middle = usize::midpoint(readable, failing);
        match decode(&records[..middle]) {
            Ok(decoded) => (readable, changes) = (middle, decoded),
            Err(error) => (failing, kind) = (middle, error),
        }
    }
    (changes, Some((failing - 1, kind)))
}
