//! How the snapshot that a signal asked for went, from the connector's notifications.

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

/// How far the snapshot is that the signal `id` asked for. The id must be unique, and long enough to be found by itself;
/// and one snapshot must have ended before the next is asked for, because the connector gives both the same id.
pub async fn snapshot_result(
    kafka: &Kafka,
    resource: &CdcReplication,
    id: &str,
) -> Result<SnapshotResult, SignalError> {
    let id = id.to_owned();
    notified(kafka, resource, move |notification, at| about(notification, &id, at)).await
}

/// How far the initial snapshot is, which the connector takes by itself when it is new.
pub async fn initial_snapshot(kafka: &Kafka, resource: &CdcReplication) -> Result<SnapshotResult, SignalError> {
    notified(kafka, resource, about_initial).await
}

/// What the last notification says that says anything.
async fn notified(
    kafka: &Kafka,
    resource: &CdcReplication,
    about: impl Fn(&[u8], Timestamp) -> Option<SnapshotResult> + Send + 'static,
) -> Result<SnapshotResult, SignalError> {
    let (kafka, topic) = (kafka.clone(), topic::notifications(resource));
    let read = move || {
        let (consumer, complaints) = kafka.client::<BaseConsumer<Complaints>>(&[
            ("group.id", "tributary-operator"),
            ("enable.auto.commit", "false"),
        ])?;
        let doing = format!("read the topic {topic}");
        read(&consumer, &topic, &about).map_err(|error| kafka.failed(&doing, error, &complaints))
    };
    // It cannot be cancelled and does not panic, so there is always an answer.
    tokio::task::spawn_blocking(read).await.unwrap_or(Ok(SnapshotResult::Unknown))
}

/// Reads the topic, which Kafka Connect created with one partition, to its end.
fn read(
    consumer: &BaseConsumer<Complaints>,
    topic: &str,
    about: &impl Fn(&[u8], Timestamp) -> Option<SnapshotResult>,
) -> Result<SnapshotResult, KafkaError> {
    let (low, high) = match consumer.fetch_watermarks(topic, 0, PATIENCE) {
        Err(error) if is_missing(&error) => return Ok(SnapshotResult::Unknown),
        watermarks => watermarks?,
    };
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Offset(low))?;
    consumer.assign(&assignment)?;
    let (mut result, mut next) = (SnapshotResult::Unknown, low);
    while next < high {
        let message = consumer.poll(PATIENCE).unwrap_or(Err(KafkaError::MessageConsumption(TIMED_OUT)))?;
        next = message.offset() + 1;
        let at = message.timestamp().to_millis().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        result = about(message.payload().unwrap_or_default(), at.unwrap_or_default()).unwrap_or(result);
    }
    Ok(result)
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
