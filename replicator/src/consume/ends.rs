//! Where the partitions end, as librdkafka's statistics and look-ups say.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

/// The end of each partition that is read.
#[derive(Debug, Default)]
pub(super) struct Ends {
    topics: Mutex<HashMap<String, HashMap<i32, End>>>,
}

/// What is known of the end of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    /// The offset after the last committed message or transaction marker.
    high: i64,
    /// The `high` up to which everything was received.
    drained: Option<i64>,
    /// The offset after the last message that was received.
    received: i64,
}

impl Ends {
    /// The offset after the last message of a partition. Transaction markers at the end do not count: they are offsets
    /// too, but no message will ever come for them.
    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let end = topics.get(topic)?.get(&partition)?;
        Some(if end.drained == Some(end.high) { end.received } else { end.high })
    }

    /// Takes over what a look-up said: `next` is where reading starts.
    pub(super) fn assigned(&self, topic: &str, partition: i32, next: i64, high: i64) {
        let drained = (next == high).then_some(high);
        self.update(topic, partition, |end| *end = End { high, drained, received: next });
    }

    /// Takes over where a partition that is read was found to end.
    pub(super) fn found(&self, topic: &str, partition: i32, high: i64) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = topics.get_mut(topic).and_then(|partitions| partitions.get_mut(&partition)) {
            end.high = end.high.max(high);
        }
    }

    /// Forgets a topic.
    pub(super) fn forget(&self, topic: &str) {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// Takes over one report of a partition that is read; `received` is the offset after the last message received.
    pub(super) fn reported(&self, topic: &str, report: &PartitionReport, received: i64) {
        self.update(topic, report.partition, |end| {
            end.high = end.high.max(report.high());
            end.received = end.received.max(received);
            if report.drained() {
                end.drained = Some(report.high());
            }
        });
    }

    fn update(&self, topic: &str, partition: i32, change: impl FnOnce(&mut End)) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        change(topics.entry(topic.to_owned()).or_default().entry(partition).or_default());
    }
}

/// The part of librdkafka's statistics that is used here (STATISTICS.md).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    brokers: HashMap<String, BrokerReport>,
    #[serde(default)]
    pub(super) topics: HashMap<String, TopicReport>,
}

#[derive(Debug, Deserialize)]
struct BrokerReport {
    state: String,
    nodeid: i32,
}

#[derive(Debug, Deserialize)]
pub(super) struct TopicReport {
    pub(super) partitions: HashMap<i32, PartitionReport>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PartitionReport {
    pub(super) partition: i32,
    fetchq_cnt: i64,
    eof_offset: i64,
    ls_offset: i64,
    hi_offset: i64,
}

impl Report {
    /// At least one broker answers.
    pub(super) fn connected(&self) -> bool {
        self.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP")
    }
}

impl PartitionReport {
    /// With `read_committed` the last stable offset is the end; it is -1 on brokers without transactions.
    fn high(&self) -> i64 {
        if self.ls_offset >= 0 { self.ls_offset } else { self.hi_offset }
    }

    fn drained(&self) -> bool {
        self.fetchq_cnt == 0 && self.eof_offset >= 0 && self.eof_offset == self.high()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fetchq_cnt: i64, eof_offset: i64, end: i64) -> PartitionReport {
        PartitionReport { partition: 0, fetchq_cnt, eof_offset, ls_offset: end, hi_offset: end }
    }

    #[test]
    fn what_is_found_of_a_topic_moves_its_end_and_brings_no_forgotten_one_back() {
        let ends = Ends::default();
        ends.assigned("orders", 0, 5, 5);
        ends.found("orders", 0, 9);
        ends.found("orders", 0, 7);
        assert_eq!(ends.get("orders", 0), Some(9));
        ends.forget("orders");
        ends.found("orders", 0, 9);
        assert_eq!(ends.get("orders", 0), None);
    }

    #[test]
    fn a_backlog_ends_where_kafka_says() {
        let ends = Ends::default();
        ends.assigned("orders", 0, 5, 90);
        assert_eq!(ends.get("orders", 0), Some(90));
        ends.reported("orders", &report(20, -1, 100), 30);
        assert_eq!(ends.get("orders", 0), Some(100));
        assert_eq!(ends.get("orders", 1), None);
    }

    #[test]
    fn transaction_markers_at_the_end_are_not_messages() {
        let ends = Ends::default();
        ends.assigned("orders", 0, 0, 11);
        ends.reported("orders", &report(0, 11, 11), 10);
        assert_eq!(ends.get("orders", 0), Some(10));
        ends.reported("orders", &report(1, 11, 14), 10);
        assert_eq!(ends.get("orders", 0), Some(14), "new messages end the rest");
    }

    #[test]
    fn a_table_that_resumes_at_the_end_has_nothing_outstanding() {
        let ends = Ends::default();
        ends.assigned("orders", 0, 11, 11);
        assert_eq!(ends.get("orders", 0), Some(11));
    }

    #[test]
    fn the_statistics_say_whether_a_broker_answers() {
        let report = |state: &str| -> Report {
            serde_json::from_str(&format!(
                r#"{{"brokers": {{"b": {{"nodeid": 1, "state": "{state}", "rtt": {{}}}}, "c": {{"nodeid": -1, "state": "UP"}}}}}}"#
            ))
            .unwrap()
        };
        assert!(report("UP").connected());
        assert!(!report("CONNECT").connected());
    }
}
