//! librdkafka's callbacks: logs to tracing, errors and statistics to whoever needs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, TopicPartitionList};
use tracing::{debug, warn};

use super::ends::Report;
use super::trouble::Trouble;

/// What librdkafka calls back.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) trouble: Trouble,
    /// The last statistics, until somebody takes them.
    report: Mutex<Option<Report>>,
    commit_failed: AtomicBool,
}

impl Context {
    pub(super) fn take_report(&self) -> Option<Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
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
            self.trouble.note(code, reason);
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Report>(statistics) {
            Ok(report) => {
                if report.connected() {
                    self.trouble.over();
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
