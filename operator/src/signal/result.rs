//! How a snapshot goes, from the connector's notifications.

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tributary_crds::{CdcReplication, topic};

use super::SignalError;
use super::client::{Complaints, Kafka, PATIENCE};

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotResult {
    /// The connector has not said anything about it.
    Unknown,
    /// It was begun, and this is when the connector last spoke of it: it does for each piece that it has read.
    Running(Timestamp),
    /// All rows of its table are in the topic.
    Done,
    /// The connector skipped the table: it did not know it, or could not read it. Ask again.
    Skipped,
}

impl ConsumerContext for Complaints {}

/// Which snapshot is watched.
#[derive(Clone, Debug)]
enum Of {
    /// The one that the connector takes by itself when it is new.
    Initial,
    /// The one that the signal of this id asked for.
    Signal(String),
}

/// One snapshot, and what was read of it. A big table makes many notifications: each is read once.
#[derive(Clone, Debug)]
pub struct SnapshotWatch {
    of: Of,
    next: i64,
    result: SnapshotResult,
}

impl SnapshotWatch {
    /// Watches the initial snapshot.
    pub const fn initial() -> Self {
        Self::new(Of::Initial)
    }

    /// Watches the snapshot that the signal `id` asked for. The id must be unique, and long enough to be found by itself;
    /// and one snapshot must have ended before the next is asked for, because the connector gives both the same id.
    pub fn of_signal(id: impl Into<String>) -> Self {
        Self::new(Of::Signal(id.into()))
    }

    const fn new(of: Of) -> Self {
        Self { of, next: 0, result: SnapshotResult::Unknown }
    }

    /// Reads what came since the last look, and says how far the snapshot is.
    pub async fn look(&mut self, kafka: &Kafka, resource: &CdcReplication) -> Result<SnapshotResult, SignalError> {
        if self.result == SnapshotResult::Done {
            return Ok(self.result);
        }
        let (kafka, topic, mut watch) = (kafka.clone(), topic::notifications(resource), self.clone());
        let read = move || {
            let (consumer, complaints) = kafka.client::<BaseConsumer<Complaints>>(&[
                ("group.id", "tributary-operator"),
                ("enable.auto.commit", "false"),
            ])?;
            let doing = format!("read the topic {topic}");
            watch.read(&consumer, &topic).map_err(|error| kafka.failed(&doing, error, &complaints))?;
            Ok(watch)
        };
        // It cannot be cancelled and does not panic, so there is always an answer.
        if let Ok(watched) = tokio::task::spawn_blocking(read).await {
            *self = watched?;
        }
        Ok(self.result)
    }

    /// Reads the topic, which has one partition, to its end.
    fn read(&mut self, consumer: &BaseConsumer<Complaints>, topic: &str) -> Result<(), KafkaError> {
        let (low, high) = match consumer.fetch_watermarks(topic, 0, PATIENCE) {
            Err(error) if is_missing(&error) => return Ok(()),
            watermarks => watermarks?,
        };
        // Past the end it is another topic of this name.
        self.next = if self.next > high { low } else { self.next.max(low) };
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Offset(self.next))?;
        consumer.assign(&assignment)?;
        while self.next < high {
            let message = consumer.poll(PATIENCE).unwrap_or(Err(KafkaError::MessageConsumption(TIMED_OUT)))?;
            self.next = message.offset() + 1;
            let at = message.timestamp().to_millis().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            self.note(message.payload().unwrap_or_default(), at.unwrap_or_default());
        }
        Ok(())
    }

    fn note(&mut self, notification: &[u8], at: Timestamp) {
        let said = match &self.of {
            Of::Initial => about_initial(notification, at),
            Of::Signal(id) => about(notification, id, at),
        };
        self.result = said.unwrap_or(self.result);
    }
}

const TIMED_OUT: RDKafkaErrorCode = RDKafkaErrorCode::OperationTimedOut;

fn is_missing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition)
    )
}

/// What a notification says about a snapshot. It is in the connector's format; in JSON and in Avro, a text is written as
/// it is.
fn about(notification: &[u8], id: &str, at: Timestamp) -> Option<SnapshotResult> {
    let says = |text: &str| notification.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    if !says(id) {
        None
    } else if !says("TABLE_SCAN_COMPLETED") {
        // After the end of the table comes the end of the snapshot, which says nothing new.
        (!says("COMPLETED")).then_some(SnapshotResult::Running(at))
    } else if says("SUCCEEDED") || says("EMPTY") {
        Some(SnapshotResult::Done)
    } else {
        Some(SnapshotResult::Skipped)
    }
}

/// The same about the initial snapshot. One that is skipped was completed before.
fn about_initial(notification: &[u8], at: Timestamp) -> Option<SnapshotResult> {
    let says = |text: &str| notification.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    let ends = (says("COMPLETED") && !says("TABLE_SCAN_COMPLETED")) || says("SKIPPED");
    says("Initial Snapshot").then_some(if ends { SnapshotResult::Done } else { SnapshotResult::Running(at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_understood_by_its_id_and_its_status() {
        let recorded = |kind: &str, status: &str| {
            format!(
                r#"{{"id":"shop-1","type":"{kind}","aggregate_type":"Incremental Snapshot","additional_data":
                {{"scanned_collection":"public.b","data_collections":"public.b","status":"{status}"}}}}"#
            )
        };
        let at = Timestamp::from_second(1_795_248_792).unwrap();
        for (kind, status, expected) in [
            ("STARTED", "", Some(SnapshotResult::Running(at))),
            ("IN_PROGRESS", "", Some(SnapshotResult::Running(at))),
            ("TABLE_SCAN_COMPLETED", "SUCCEEDED", Some(SnapshotResult::Done)),
            ("TABLE_SCAN_COMPLETED", "EMPTY", Some(SnapshotResult::Done)),
            ("TABLE_SCAN_COMPLETED", "UNKNOWN_SCHEMA", Some(SnapshotResult::Skipped)),
            ("COMPLETED", "", None),
        ] {
            assert_eq!(about(recorded(kind, status).as_bytes(), "shop-1", at), expected, "{kind} {status}");
        }
        assert_eq!(about(recorded("STARTED", "").as_bytes(), "shop-2", at), None);
    }

    #[test]
    fn the_initial_snapshot_ends_with_its_last_table_and_not_with_each() {
        let at = Timestamp::from_second(1_795_248_792).unwrap();
        let of =
            |kind: &str, aggregate: &str| format!(r#"{{"id":"1","type":"{kind}","aggregate_type":"{aggregate}"}}"#);
        for (kind, expected) in [
            ("STARTED", SnapshotResult::Running(at)),
            ("TABLE_SCAN_COMPLETED", SnapshotResult::Running(at)),
            ("COMPLETED", SnapshotResult::Done),
            ("SKIPPED", SnapshotResult::Done),
        ] {
            assert_eq!(about_initial(of(kind, "Initial Snapshot").as_bytes(), at), Some(expected), "{kind}");
        }
        assert_eq!(about_initial(of("COMPLETED", "Incremental Snapshot").as_bytes(), at), None);
    }
}
