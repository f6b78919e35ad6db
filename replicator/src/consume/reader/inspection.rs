//! What the reader does when something is wrong with a topic, or could be: looks at it again, goes on, or gives it up.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error};

use super::{Reader, ranges, warn_if_refused};
use crate::consume::ConsumeError;
use crate::consume::lookup::{Lookup, Obstacle};
use crate::consume::start::Found;
use crate::consume::tables::{INSPECTION_INTERVAL, Table};

/// Kafka has to say this often in a row that a topic is gone: a broker that has just started may not know it yet.
const MISSING_LIMIT: u32 = 3;
/// When to look again at a topic that had a problem.
const SECOND_LOOK: Duration = Duration::from_secs(2);
/// The pause before messages that arrived damaged are read again.
const AFTER_DAMAGE: Duration = Duration::from_millis(100);

impl Reader {
    /// librdkafka says that something is wrong, but not with which topic.
    pub(super) fn on_error(&mut self, error: &KafkaError) {
        let Some(code) = error.rdkafka_error_code() else { return };
        match code {
            RDKafkaErrorCode::AllBrokersDown => self.say_unreachable(),
            // Either librdkafka has stopped reading, or the topic may be another one when it is there again.
            RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition => self.look_at_all(true),
            RDKafkaErrorCode::TopicAuthorizationFailed => self.look_at_all(false),
            // librdkafka would go on behind what it cannot read.
            RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::InvalidMessage => {
                self.tables.iter().for_each(|table| self.put_back(table));
                self.say_damaged(error);
                std::thread::sleep(AFTER_DAMAGE);
            }
            _ => debug!(target: "kafka", %error, "consumer error"),
        }
    }

    fn say_unreachable(&mut self) {
        let reason = self.consumer.context().outage.reason();
        let words = reason.unwrap_or_else(|| "no Kafka broker can be reached".into());
        self.unreachable = true;
        self.tables.iter_mut().for_each(|table| table.wait(&words));
    }

    /// Which topic it is, librdkafka does not say. Logged once for each minute that it lasts.
    fn say_damaged(&mut self, error: &KafkaError) {
        let now = Instant::now();
        if self.damaged.is_none_or(|said| now - said >= INSPECTION_INTERVAL) {
            self.damaged = Some(now);
            error!(target: "kafka", %error, "Kafka delivers damaged messages; reading them again");
        }
        let words = format!("Kafka delivers damaged messages of one of the topics ({error}); they are read again");
        self.tables.iter_mut().for_each(|table| table.wait(&words));
    }

    pub(super) fn look_at_all(&mut self, stalled: bool) {
        let now = Instant::now();
        for table in &mut self.tables {
            table.inspect_at = now;
            table.stalled |= stalled;
        }
    }

    /// Reads the table's partitions again from where they were, and sees whether they are still the same.
    fn put_back(&self, table: &Table) {
        let partitions = table.positions();
        warn_if_refused(self.consumer.incremental_unassign(&partitions));
        warn_if_refused(self.consumer.incremental_assign(&partitions));
    }

    /// Has the lookup thread look at the topics whose time has come.
    pub(super) fn inspect(&mut self, now: Instant) {
        for table in self.tables.iter_mut().filter(|table| table.inspect_at <= now && !table.asked) {
            (table.asked, table.inspect_at) = (true, now + INSPECTION_INTERVAL);
            let (topic, resume) = (table.topic.clone(), table.resume());
            let _ = self.lookups.send(Lookup::Inspect { topic, resume });
        }
    }

    pub(super) fn inspected(&mut self, topic: &str, outcome: Result<Vec<Found>, Obstacle>) {
        let Some(index) = self.position(topic) else { return };
        let mut table = self.tables.swap_remove(index);
        self.routes.clear();
        table.asked = false;
        let failure = match outcome {
            Ok(found) => {
                self.sound(&mut table, &found);
                None
            }
            Err(Obstacle::Missing) => {
                table.missing += 1;
                table.stalled = true;
                table.inspect_at = Instant::now() + SECOND_LOOK;
                (table.missing >= MISSING_LIMIT).then(|| ConsumeError::TopicDeleted { topic: table.topic.clone() })
            }
            Err(Obstacle::Wait(words) | Obstacle::Unreachable(words)) => {
                table.wait(&words);
                table.inspect_at = Instant::now() + SECOND_LOOK;
                None
            }
            Err(Obstacle::Fail(error)) => {
                table.inspect_at = Instant::now() + SECOND_LOOK;
                table.concerns(&error).then_some(error)
            }
        };
        self.tables.push(table);
        if let Some(error) = failure {
            self.fail(self.tables.len() - 1, error);
        }
    }

    /// Ends the reading of topics that are others now. One of which nothing was read yet is as good as new.
    pub(super) fn fail_recreated(&mut self) {
        for topic in self.consumer.context().recreated.take() {
            let Some(index) = self.position(&topic) else { continue };
            if self.tables.get(index).is_some_and(Table::has_read) {
                self.fail(index, ConsumeError::TopicDeleted { topic: topic.into() });
            }
        }
    }

    /// The topic is there and holds what is to be read next.
    fn sound(&mut self, table: &mut Table, found: &[Found]) {
        table.missing = 0;
        self.extend(table, found);
        if std::mem::take(&mut table.stalled) {
            self.put_back(table);
        }
        if table.waiting.take().is_some() {
            table.sink.assigned(ranges(found));
        }
    }

    /// The topic cannot be read on.
    pub(super) fn fail(&mut self, index: usize, error: ConsumeError) {
        let Some(table) = self.tables.get(index) else { return };
        table.sink.failed(error);
        self.remove(index);
    }
}
