//! The topics that are assigned, and the routes that their messages take.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset;

use super::admission::Load;
use super::batching::{Building, Incoming};
use super::reader::Sink;
use super::{ConsumeError, Delivery, Heartbeat, PartitionRange};

/// Debezium's header on the delete that starts a key change.
const NEW_KEY_HEADER: &str = "__debezium.newkey";
/// How often a topic is looked at, for partitions that were added.
pub(super) const INSPECTION_INTERVAL: Duration = Duration::from_mins(1);

/// A topic that is being read.
pub(super) struct Table {
    pub(super) topic: Arc<str>,
    pub(super) sink: Sink,
    pub(super) lanes: Vec<Lane>,
    pub(super) load: Load,
    /// What librdkafka was told last.
    pub(super) paused: bool,
    /// The last thing said was that something is waited for.
    pub(super) waiting: bool,
    /// How often in a row Kafka said that the topic does not exist.
    pub(super) missing: u32,
    /// librdkafka has stopped reading and must be put back to the right offsets.
    pub(super) stalled: bool,
    /// When to look at the topic again.
    pub(super) inspect_at: Instant,
}

/// One partition of a topic that is being read.
pub(super) struct Lane {
    pub(super) partition: i32,
    /// The offset after the last message received.
    pub(super) next: i64,
    building: Building,
}

impl Table {
    pub(super) fn new(topic: Arc<str>, sink: Sink) -> Self {
        let inspect_at = Instant::now() + INSPECTION_INTERVAL;
        let load = Load::default();
        Self { topic, sink, lanes: vec![], load, paused: false, waiting: false, missing: 0, stalled: false, inspect_at }
    }

    /// Adds the partitions that are not there yet; what they are, for librdkafka.
    pub(super) fn add(&mut self, ranges: &[PartitionRange], batch_bytes: usize) -> TopicPartitionList {
        let known = self.lanes.len();
        for &PartitionRange { partition, next, .. } in ranges {
            if !self.lanes.iter().any(|lane| lane.partition == partition) {
                let building = Building::new(self.topic.clone(), partition, self.sink.share(), batch_bytes);
                self.lanes.push(Lane { partition, next, building });
            }
        }
        positions(&self.topic, self.lanes.get(known..).unwrap_or_default())
    }

    /// All partitions with the offsets to go on from, for librdkafka.
    pub(super) fn positions(&self) -> TopicPartitionList {
        positions(&self.topic, &self.lanes)
    }

    /// Partition → next offset.
    pub(super) fn next(&self) -> HashMap<i32, i64> {
        self.lanes.iter().map(|lane| (lane.partition, lane.next)).collect()
    }

    /// Puts a message on its way.
    pub(super) fn receive(&mut self, lane: usize, now: Instant, message: &BorrowedMessage<'_>) {
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        // After a pause librdkafka goes on from where it was; whoever comes after relies on ascending offsets.
        if message.offset() < lane.next {
            return;
        }
        lane.next = message.offset() + 1;
        let timestamp_ms = message.timestamp().to_millis().unwrap_or(0);
        match &self.sink {
            Sink::Heartbeats(last) => {
                last.send_replace(Some(Heartbeat { ts_ms: timestamp_ms }));
            }
            Sink::Table { deliveries, .. } => {
                let moves_key =
                    message.headers().is_some_and(|headers| headers.iter().any(|header| header.key == NEW_KEY_HEADER));
                let (offset, key, value) = (message.offset(), message.key(), message.payload());
                let message = Incoming { offset, timestamp_ms, key, value, moves_key };
                if let Some(batch) = lane.building.push(now, message) {
                    let _ = deliveries.send(Delivery::Batch(batch));
                }
            }
        }
    }

    /// When the next batch must be handed over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.building.deadline()).min()
    }

    /// Hands over the batches that are due.
    pub(super) fn hand_over(&mut self, now: Instant) {
        let Sink::Table { deliveries, .. } = &self.sink else { return };
        for lane in &mut self.lanes {
            if lane.building.deadline().is_some_and(|deadline| deadline <= now)
                && let Some(batch) = lane.building.take()
            {
                let _ = deliveries.send(Delivery::Batch(batch));
            }
        }
    }

    /// Says what is waited for.
    pub(super) fn wait(&mut self, words: &str) {
        self.sink.waiting(words);
        self.waiting = true;
    }

    /// An `Overtaken` that was found is not one if the partition has been read past that point meanwhile.
    pub(super) fn concerns(&self, error: &ConsumeError) -> bool {
        let ConsumeError::Overtaken { partition, low, .. } = error else { return true };
        self.lanes.iter().any(|lane| lane.partition == *partition && lane.next < *low)
    }
}

fn positions(topic: &str, lanes: &[Lane]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(lanes.len());
    for lane in lanes {
        // Cannot fail: an offset of ours is never negative.
        let _ = list.add_partition_offset(topic, lane.partition, Offset::Offset(lane.next));
    }
    list
}
