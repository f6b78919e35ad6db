//! How the snapshot that a signal asked for went, from the connector's notifications.

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
    /// It was begun.
    Running,
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
    let (kafka, topic, id) = (kafka.clone(), topic::notifications(resource), id.to_owned());
    let read = move || {
        let (consumer, complaints) = kafka.client::<BaseConsumer<Complaints>>(&[
            ("group.id", "tributary-operator"),
            ("enable.auto.commit", "false"),
        ])?;
        let doing = format!("read the topic {topic}");
        read(&consumer, &topic, &id).map_err(|error| kafka.failed(&doing, error, &complaints))
    };
    // It cannot be cancelled and does not panic, so there is always an answer.
    tokio::task::spawn_blocking(read).await.unwrap_or(Ok(SnapshotResult::Unknown))
}

/// Reads the topic, which Kafka Connect created with one partition, to its end.
fn read(consumer: &BaseConsumer<Complaints>, topic: &str, id: &str) -> Result<SnapshotResult, KafkaError> {
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
        result = about(message.payload().unwrap_or_default(), id).unwrap_or(result);
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
fn about(notification: &[u8], id: &str) -> Option<SnapshotResult> {
    let says = |text: &str| notification.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    if !says(id) {
        None
    } else if !says("TABLE_SCAN_COMPLETED") {
        // After the end of the table comes the end of the snapshot, which says nothing new.
        (!says("COMPLETED")).then_some(SnapshotResult::Running)
    } else if says("SUCCEEDED") || says("EMPTY") {
        Some(SnapshotResult::Done)
    } else {
        Some(SnapshotResult::Skipped)
    }
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
        for (kind, status, expected) in [
            ("STARTED", "", Some(SnapshotResult::Running)),
            ("IN_PROGRESS", "", Some(SnapshotResult::Running)),
            ("TABLE_SCAN_COMPLETED", "SUCCEEDED", Some(SnapshotResult::Done)),
            ("TABLE_SCAN_COMPLETED", "EMPTY", Some(SnapshotResult::Done)),
            ("TABLE_SCAN_COMPLETED", "UNKNOWN_SCHEMA", Some(SnapshotResult::Skipped)),
            ("COMPLETED", "", None),
        ] {
            assert_eq!(about(recorded(kind, status).as_bytes(), "shop-1"), expected, "{kind} {status}");
        }
        assert_eq!(about(recorded("STARTED", "").as_bytes(), "shop-2"), None);
    }
}
