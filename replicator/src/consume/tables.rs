//! The topics that are assigned, and the routes that their messages take.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset;
use tributary_crds::unavailable;

use super::admission::Load;
use super::batching::{Building, Incoming};
use super::sink::Sink;
use super::start::Found;
use super::{ConsumeError, Resume};

/// Debezium's header on the delete that starts a key change.
const NEW_KEY_HEADER: &str = "__debezium.newkey";
/// Debezium's header on the create that ends a key change.
const OLD_KEY_HEADER: &str = "__debezium.oldkey";
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
    /// What was last said to be waited for; none while messages come.
    pub(super) waiting: Option<String>,
    /// How often in a row Kafka said that the topic does not exist.
    pub(super) missing: u32,
    /// librdkafka has stopped reading and must be put back to the right offsets.
    pub(super) stalled: bool,
    /// The lookup thread was asked and has not answered yet: it may be slow, and must not be asked again.
    pub(super) asked: bool,
    /// When to look at the topic again.
    pub(super) inspect_at: Instant,
}

/// One partition of a topic that is being read.
pub(super) struct Lane {
    pub(super) partition: i32,
    /// The offset after the last message received.
    pub(super) next: i64,
    /// Kafka's timestamp of that message, if it is known.
    last_ts_ms: Option<i64>,
    /// The first offset that was there when the topic was last looked at.
    low: i64,
    building: Building,
}

impl Lane {
    /// Where librdkafka is to read: from the last message received, if it should still be there, so that it can be seen
    /// whether this is the topic that it came from.
    fn fetch_from(&self) -> i64 {
        if self.last_ts_ms.is_some() && self.low < self.next { self.next - 1 } else { self.next }
    }

    /// Checks a message that was received before, in this run or in an earlier one.
    fn recognise(&self, topic: &Arc<str>, offset: i64, found_ms: Option<i64>) -> Result<(), ConsumeError> {
        match self.last_ts_ms {
            Some(applied_ms) if offset == self.next - 1 && found_ms != Some(applied_ms) => {
                Err(ConsumeError::replaced(topic, self.partition, offset, (applied_ms, found_ms)))
            }
            _ => Ok(()),
        }
    }
}

impl Table {
    pub(super) fn new(topic: Arc<str>, sink: Sink) -> Self {
        let inspect_at = Instant::now() + INSPECTION_INTERVAL;
        Self {
            topic,
            sink,
            lanes: vec![],
            load: Load::default(),
            paused: false,
            waiting: None,
            missing: 0,
            stalled: false,
            asked: false,
            inspect_at,
        }
    }

    /// Adds the partitions that are not there yet; what they are, for librdkafka.
    pub(super) fn add(&mut self, found: &[Found], batch_bytes: usize) -> TopicPartitionList {
        let known = self.lanes.len();
        for &Found { range, low, last_ts_ms } in found {
            let partition = range.partition;
            if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.partition == partition) {
                lane.low = low;
                continue;
            }
            let building = Building::new(self.topic.clone(), partition, self.sink.share.clone(), batch_bytes);
            self.lanes.push(Lane { partition, next: range.next, last_ts_ms, low, building });
        }
        positions(&self.topic, self.lanes.get(known..).unwrap_or_default())
    }

    /// All partitions with the offsets to read from, for librdkafka.
    pub(super) fn positions(&self) -> TopicPartitionList {
        positions(&self.topic, &self.lanes)
    }

    /// Partition → where it is to go on.
    pub(super) fn resume(&self) -> HashMap<i32, Resume> {
        let resume = |lane: &Lane| Resume { next: lane.next, last_ts_ms: lane.last_ts_ms };
        self.lanes.iter().map(|lane| (lane.partition, resume(lane))).collect()
    }

    /// Whether any message was read, in this run or an earlier one.
    pub(super) fn has_read(&self) -> bool {
        self.lanes.iter().any(|lane| lane.next > 0)
    }

    /// Puts a message on its way. An error says that this is not the topic that was read before.
    pub(super) fn receive(
        &mut self,
        lane: usize,
        now: Instant,
        message: &BorrowedMessage<'_>,
    ) -> Result<(), ConsumeError> {
        let Some(lane) = self.lanes.get_mut(lane) else { return Ok(()) };
        let timestamp_ms = message.timestamp().to_millis();
        // After a pause librdkafka goes on from where it was; whoever comes after relies on ascending offsets.
        if message.offset() < lane.next {
            return lane.recognise(&self.topic, message.offset(), timestamp_ms);
        }
        lane.next = message.offset() + 1;
        lane.last_ts_ms = timestamp_ms;
        let headers = message.headers();
        let header = |name: &str| headers.and_then(|headers| headers.iter().find(|header| header.key == name));
        let has = |name: &str| header(name).is_some();
        let placeholder = header(unavailable::HEADER).and_then(|header| header.value);
        if let Some(batch) = lane.building.written_with(placeholder) {
            self.sink.batch(batch);
        }
        let message = Incoming {
            offset: message.offset(),
            timestamp_ms,
            key: message.key(),
            value: message.payload(),
            moves_key: has(NEW_KEY_HEADER),
            moved_key: has(OLD_KEY_HEADER),
        };
        if let Some(batch) = lane.building.push(now, message) {
            self.sink.batch(batch);
        }
        Ok(())
    }

    /// When the next batch must be handed over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.building.deadline()).min()
    }

    /// Hands over the batches that are due.
    pub(super) fn hand_over(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            if lane.building.deadline().is_some_and(|deadline| deadline <= now)
                && let Some(batch) = lane.building.take()
            {
                self.sink.batch(batch);
            }
        }
    }

    /// Says what is waited for, once.
    pub(super) fn wait(&mut self, words: &str) {
        if self.waiting.as_deref() != Some(words) {
            self.sink.waiting(words);
            self.waiting = Some(words.to_owned());
        }
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
        let _ = list.add_partition_offset(topic, lane.partition, Offset::Offset(lane.fetch_from()));
    }
    list
}
