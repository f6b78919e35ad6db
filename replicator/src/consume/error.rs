//! Why a topic cannot be read, and what to do about it.

use std::sync::Arc;

use jiff::Timestamp;
use rdkafka::error::KafkaError;

/// What ends the reading of a topic, or keeps the consumer from starting.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConsumeError {
    /// librdkafka refuses the settings.
    #[error("the Kafka client cannot be set up: {0}; correct spec.kafka or the Secret it refers to")]
    Settings(String),
    /// A thread could not be started.
    #[error("the Kafka consumer cannot start a thread")]
    Thread(#[source] Arc<std::io::Error>),
    /// librdkafka refuses to read the partitions.
    #[error("the partitions of topic {topic} cannot be assigned")]
    Assign {
        /// Kafka topic.
        topic: Arc<str>,
        /// What librdkafka says.
        #[source]
        source: KafkaError,
    },
    /// The topic ends before the offset that the table has applied.
    #[error(
        "topic {topic}, partition {partition}: the table has applied everything up to offset {resume}, but the topic ends \
         at offset {high}, so it was deleted and created again, or this is another Kafka cluster; nothing was applied from \
         it. If the cluster is the wrong one, correct spec.kafka; otherwise have the table copied anew (the annotation \
         tributary.dev/resync, or `replicator resync`)"
    )]
    Recreated {
        /// Kafka topic.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The next offset according to the Delta log.
        resume: i64,
        /// The end of the partition.
        high: i64,
    },
    /// Another message is where the last applied one was.
    #[error(
        "topic {topic}, partition {partition}: the message at offset {offset} is not the one that the table has applied \
         (that one was written at {applied}, this one at {found}), so the topic was deleted and created again, or this is \
         another Kafka cluster; nothing was applied from it. If the cluster is the wrong one, correct spec.kafka; otherwise \
         have the table copied anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    Replaced {
        /// Kafka topic.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The last offset that was applied.
        offset: i64,
        /// Kafka's timestamp of the message that was applied.
        applied: Timestamp,
        /// Kafka's timestamp of the message that is there now.
        found: Timestamp,
    },
    /// Retention deleted messages that the table has not applied.
    #[error(
        "topic {topic}, partition {partition}: Kafka has deleted offsets {resume} to {low} before they were applied \
         (retention.ms or retention.bytes of the topic), so changes are lost and nothing further was applied. Raise the \
         retention, and have the table copied anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    Overtaken {
        /// Kafka topic.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The next offset according to the Delta log.
        resume: i64,
        /// The first offset that is still there.
        low: i64,
    },
    /// A topic that would be read from its beginning has lost its beginning.
    #[error(
        "topic {topic}, partition {partition}: the first {low} messages were deleted (retention) before this table read \
         any, so changes are lost and nothing was applied. Raise retention.ms; where the replicator reads the database \
         (replicator.copy.connections is not 0), move the Delta table away and start the table again: its rows are copied \
         then. Where it does not, delete the topic and have the connector take a new snapshot"
    )]
    BeginningDeleted {
        /// Kafka topic.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The first offset that is still there.
        low: i64,
    },
    /// The topic has more than one partition.
    #[error(
        "topic {topic} has {partitions} partitions, and the order of changes in different ones is not known: a truncate, a \
         changed key or a value that was left out would be applied to the wrong row, so nothing further was applied. Give \
         the topic one partition (topic.creation.default.partitions=1): delete it, and have the table copied anew (the \
         annotation tributary.dev/resync, or `replicator resync`)"
    )]
    Partitions {
        /// Kafka topic.
        topic: Arc<str>,
        /// How many it has.
        partitions: usize,
    },
    /// The topic was deleted while it was read.
    #[error(
        "topic {topic} was deleted while it was being read, and perhaps created again; nothing of what was applied is lost. \
         Have the table copied anew (the annotation tributary.dev/resync, or `replicator resync`), or restore the topic"
    )]
    TopicDeleted {
        /// Kafka topic.
        topic: Arc<str>,
    },
}

impl ConsumeError {
    /// Another message than the applied one is at `offset`; with Kafka's timestamps of both, milliseconds since the epoch.
    pub(super) fn replaced(
        topic: &Arc<str>,
        partition: i32,
        offset: i64,
        (applied_ms, found_ms): (i64, Option<i64>),
    ) -> Self {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
        let (applied, found) = (time(applied_ms), time(found_ms.unwrap_or_default()));
        Self::Replaced { topic: Arc::clone(topic), partition, offset, applied, found }
    }

    /// An error of the client's settings without the value of the setting, which may be a secret.
    pub(super) fn settings(error: &KafkaError) -> Self {
        Self::Settings(match error {
            KafkaError::ClientConfig(_, _, key, _) => format!("the value of {key} is not accepted"),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaConfRes;

    use super::*;

    #[test]
    fn a_refused_setting_is_named_and_its_value_is_not() {
        let error = KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value \"hunter2\"".into(),
            "ssl.key.pem".into(),
            "hunter2".into(),
        );
        let text = ConsumeError::settings(&error).to_string();
        assert!(text.contains("ssl.key.pem") && !text.contains("hunter2"), "{text}");
    }
}
