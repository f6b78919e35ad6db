//! Brokers, and the last messages of each topic.

use super::{CheckLine, Finding, plural};
use crate::consume::{ConsumeError, Probe, RawBatch, Sample};
use crate::settings::{Settings, TableSettings};

/// Messages that are looked at in each partition: the last ones may be tombstones, which say nothing.
const SAMPLE: i64 = 20;

/// What Kafka showed.
pub(super) struct Seen {
    /// Lines about brokers and topics.
    pub(super) lines: Vec<CheckLine>,
    /// The last messages of each table whose topic is there.
    pub(super) samples: Vec<(TableSettings, Vec<RawBatch>)>,
}

/// Looks at the brokers and at each table's topic.
pub(super) async fn check(settings: &Settings) -> Seen {
    let owned = settings.clone();
    let seen = tokio::task::spawn_blocking(move || look(&owned)).await;
    seen.unwrap_or_else(|error| Seen {
        lines: vec![CheckLine::new("kafka", Finding::from_error(&error))],
        samples: Vec::new(),
    })
}

fn look(settings: &Settings) -> Seen {
    let what = format!("kafka {}", settings.kafka.bootstrap_servers);
    let (mut lines, mut samples) = (Vec::new(), Vec::new());
    let probe = match Probe::new(&settings.kafka) {
        Ok(probe) => probe,
        Err(error) => {
            lines.push(CheckLine::new(what, Finding::from_error(&error)));
            return Seen { lines, samples };
        }
    };
    match probe.brokers(&settings.tick_topic) {
        Ok(count) => lines.push(CheckLine::new(what, Finding::Ok(format!("{count} {}", plural(count, "broker"))))),
        Err(wrong) => {
            let fix = "check spec.kafka.external, the Secrets it refers to, and that the brokers run";
            lines.push(CheckLine::new(what, Finding::problem(wrong, fix)));
            // Every topic would only say the same.
            return Seen { lines, samples };
        }
    }
    for table in &settings.tables {
        match topic(&probe, table, settings.source.is_some()) {
            Ok(messages) => samples.push((table.clone(), messages)),
            Err(finding) => lines.push(CheckLine::new(format!("topic {}", table.topic), finding)),
        }
    }
    Seen { lines, samples }
}

/// `copied`: the rows that there are need no topic.
fn topic(probe: &Probe, table: &TableSettings, copied: bool) -> Result<Vec<RawBatch>, Finding> {
    match probe.sample(&table.topic, SAMPLE) {
        Ok(Sample::Messages(messages)) => Ok(messages),
        Ok(Sample::Several(partitions)) => {
            Err(Finding::from_error(&ConsumeError::Partitions { topic: table.topic.as_str().into(), partitions }))
        }
        Ok(Sample::Missing) if copied => {
            Err(Finding::Ok("is not there yet; it appears with the first change of the table".to_owned()))
        }
        Ok(Sample::Missing) => Err(Finding::warning(
            "is not there yet; it appears with the first row that the connector reads",
            "if it stays away, check that the connector runs and that the table has rows",
        )),
        Err(error) => {
            let fix = "give the Kafka user READ and DESCRIBE on the topic, and check that its partitions have leaders";
            Err(Finding::problem(format!("cannot be read: {error}"), fix))
        }
    }
}
