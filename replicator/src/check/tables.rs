//! What the last messages of a table say: can they be decoded, has the table a key, is a value at risk?

use super::{CheckLine, Finding};
use crate::change::{ChangeBatch, Op};
use crate::consume::RawBatch;
use crate::decode::{Decoder, RegistryClient};
use crate::settings::{EventFormat, TableSettings};

/// Decodes each table's sample and says what it shows.
pub(super) async fn check(format: &EventFormat, samples: Vec<(TableSettings, Vec<RawBatch>)>) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    for (table, messages) in samples {
        let what = format!("table {}", table.name);
        let found = findings(format, &table, &messages).await;
        lines.extend(found.into_iter().map(|found| CheckLine::new(what.clone(), found)));
    }
    lines
}

async fn findings(format: &EventFormat, table: &TableSettings, messages: &[RawBatch]) -> Vec<Finding> {
    let mut decoder = match format {
        EventFormat::Json => Decoder::json(),
        EventFormat::Avro(config) => match RegistryClient::new(config.clone()) {
            Ok(registry) => Decoder::avro(registry),
            // The registry's own line says it.
            Err(_) => return Vec::new(),
        },
    };
    let mut changes = Vec::new();
    for batch in messages {
        // An error is the registry's, whose own line says it.
        let Ok(outcome) = decoder.decode(batch).await else { return Vec::new() };
        changes.extend(outcome.changes);
        if let Some(failure) = outcome.failure {
            let fix = "see what wrote to the topic; the table stops at this message until it is gone";
            return vec![Finding::problem(failure.to_string(), fix)];
        }
    }
    summary(table, &changes)
}

fn summary(table: &TableSettings, changes: &[ChangeBatch]) -> Vec<Finding> {
    let rows: Vec<&ChangeBatch> =
        changes.iter().filter(|batch| batch.events.iter().any(|event| event.op != Op::Truncate)).collect();
    let Some(last) = rows.last() else { return vec![Finding::Ok("topic without rows yet".to_owned())] };
    if last.schema.key.is_empty() {
        return vec![keyless(table)];
    }
    let mut found = vec![Finding::Ok(format!("key {}", key(last)))];
    found.extend(last.schema.warnings.iter().map(|warning| Finding::from_warning(warning)));
    found
}

fn keyless(table: &TableSettings) -> Finding {
    let fix = format!(
        "add a primary key (ALTER TABLE {} ADD PRIMARY KEY …) and have the table copied anew (the annotation \
         tributary.dev/resync, or `replicator resync`); or take the table out of spec.tables",
        table.name
    );
    Finding::problem(
        "its messages have no key, so the source table has no primary key and its rows cannot be told apart",
        &fix,
    )
}

fn key(batch: &ChangeBatch) -> String {
    let names = batch.schema.key.iter().map(|column| batch.schema.arrow.field(*column).name().as_str());
    names.collect::<Vec<_>>().join(", ")
}
