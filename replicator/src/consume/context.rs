//! librdkafka's callbacks: logs to tracing, errors and statistics to whoever needs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, TopicPartitionList};
use tracing::{debug, warn};

use super::ends::Report;
use super::outage::Outage;

/// What librdkafka calls back.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) outage: Outage,
    /// The last statistics, until somebody takes them.
    report: Mutex<Option<Report>>,
    commit_failed: AtomicBool,
    pub(super) recreated: RecreatedTopics,
}

/// Topics that were deleted and created again while they were read. librdkafka notices, says so in a debug message and
/// nowhere else, and goes on at the old offset (`rd_kafka_topic_metadata_update`).
#[derive(Debug, Default)]
pub(super) struct RecreatedTopics {
    topics: Mutex<Vec<String>>,
    /// There are some: asked for each message.
    any: AtomicBool,
}

impl RecreatedTopics {
    fn note(&self, message: &str) {
        if let Some(topic) = recreated_topic(message) {
            self.topics.lock().unwrap_or_else(PoisonError::into_inner).push(topic.to_owned());
            self.any.store(true, Ordering::Release);
        }
    }

    /// What was noted since it was last asked for. It is noted before the first message of the new topic is asked for.
    pub(super) fn take(&self) -> Vec<String> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut *topics)
    }
}

/// The topic in `[thrd:main]: Topic NAME changed id from ID to ID`, unless that says how the topic's id became known.
fn recreated_topic(message: &str) -> Option<&str> {
    const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let (start, ids) = message.split_once(" changed id from ")?;
    let (_, topic) = start.rsplit_once("Topic ")?;
    (!ids.starts_with(UNKNOWN)).then_some(topic)
}

impl Context {
    pub(super) fn take_report(&self) -> Option<Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.recreated.note(message);
        // librdkafka calls every lost connection an error; the ones that matter come as `error` too.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(target: "kafka", "{facility}: {message}");
            }
            _ => debug!(target: "kafka", "{facility}: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "kafka", "{error}: {reason}");
        if let Some(code) = error.rdkafka_error_code() {
            self.outage.note(code, reason);
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Report>(statistics) {
            Ok(report) => {
                if report.connected() {
                    self.outage.over();
                }
                *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            }
            Err(error) => debug!(target: "kafka", "statistics that cannot be read: {error}"),
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) => self.commit_failed.store(false, Ordering::Relaxed),
            // Offsets in Kafka are for lag tools only: said once, and again after it has worked.
            Err(error) => {
                if !self.commit_failed.swap(true, Ordering::Relaxed) {
                    warn!(%error, "offsets cannot be committed to the Kafka group; lag tools will not see progress");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_gets_another_id_is_noted_once() {
        let recreated = RecreatedTopics::default();
        assert!(recreated.take().is_empty());
        recreated
            .note("[thrd:main]: Topic shop.users changed id from AAAAAAAAAAAAAAAAAAAAAA to 5dRmZbCwQ2a0kq2XJ3mX2A");
        recreated.note("[thrd:main]: Topic shop.users [0] Leader 1 Epoch 0");
        assert!(recreated.take().is_empty(), "its first id");
        recreated
            .note("[thrd:main]: Topic shop.users changed id from 5dRmZbCwQ2a0kq2XJ3mX2A to x7Yl0p1VTrSbbqQnQWcXGg");
        assert_eq!(recreated.take(), ["shop.users"]);
        assert!(recreated.take().is_empty());
    }
}
