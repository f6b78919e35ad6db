//! Finds topics and their ends, on a thread of its own: these questions block, and reading must not wait for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::oneshot;
use tracing::debug;

use super::context::Context;
use super::ends::Ends;
use super::reader::Command;
use super::sink::{Reads, Sink};
use super::start::{Found, start};
use super::{ConsumeError, PartitionRange, Resume, Tick};

/// How long one question to Kafka may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest pause between two looks for a topic that is not there.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the lookup thread is asked.
pub(super) enum Lookup {
    /// Find a topic, however long it takes, and have it assigned.
    Find(Wanted),
    /// Look once at a topic that is being read, given where each partition is to go on.
    Inspect { topic: Arc<str>, resume: HashMap<i32, Resume> },
    /// Find where the partitions of a topic end.
    Ends { topic: Arc<str>, reply: oneshot::Sender<Result<BTreeMap<i32, i64>, String>> },
    /// Find the ends of the partitions in `ends`, then say so: [`Ends`] has now what was there when the tick came.
    Confirm { tick: Tick, ends: TopicPartitionList, confirmed: oneshot::Sender<()> },
    /// End the thread.
    Stop,
}

/// A topic that somebody wants to read.
pub(super) struct Wanted {
    pub(super) topic: Arc<str>,
    /// Partition → where to go on.
    pub(super) resume: HashMap<i32, Resume>,
    pub(super) sink: Sink,
}

/// Why a topic cannot be read now.
pub(super) enum Obstacle {
    /// Kafka does not know the topic.
    Missing,
    /// Something that passes or that an operator can cure without touching the table.
    Wait(String),
    /// No broker answers: goes for every topic.
    Unreachable(String),
    /// Waiting does not help.
    Fail(ConsumeError),
}

/// First offset and end of a partition.
struct Watermarks {
    partition: i32,
    low: i64,
    high: i64,
}

struct Pending {
    wanted: Wanted,
    pause: Duration,
    due: Instant,
    told: Option<String>,
}

impl Pending {
    /// Looked for again after a pause.
    fn later(self) -> Self {
        let due = Instant::now() + self.pause;
        Self { pause: (self.pause * 2).min(LONGEST_PAUSE), due, ..self }
    }
}

/// The thread's state.
pub(super) struct Finder {
    /// What is asked.
    pub(super) client: BaseConsumer,
    /// What reads, and is told why no broker answers.
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) bootstrap_servers: String,
    pub(super) questions: Receiver<Lookup>,
    pub(super) reader: Sender<Command>,
    pub(super) ends: Arc<Ends>,
    /// The last one that came.
    pub(super) tick: Option<Tick>,
}

impl Finder {
    /// Answers until told to stop.
    pub(super) fn run(mut self) {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            let due = pending.iter().map(|pending| pending.due).min();
            let pause = due.map_or(LONGEST_PAUSE, |due| due.saturating_duration_since(Instant::now()));
            match self.questions.recv_timeout(pause) {
                Ok(Lookup::Find(wanted)) => {
                    let due = Instant::now();
                    pending.push(Pending { wanted, pause: Duration::from_millis(250), due, told: None });
                }
                Ok(Lookup::Inspect { topic, resume }) => {
                    let outcome = self.partitions(&topic, &resume);
                    let _ = self.reader.send(Command::Inspected { topic, outcome });
                }
                // Whoever asked may be gone.
                Ok(Lookup::Ends { topic, reply }) => drop(reply.send(self.topic_ends(&topic))),
                Ok(Lookup::Confirm { tick, ends, confirmed }) => {
                    // A topic that is not there now was not there when this tick was sent.
                    self.tick = Some(tick);
                    let now = Instant::now();
                    for pending in &mut pending {
                        pending.due = now;
                    }
                    pending = self.look(pending);
                    match self.find_ends(ends) {
                        Ok(()) => drop(confirmed.send(())),
                        Err(error) => debug!(target: "kafka", %error, "the ends of the topics cannot be read"),
                    }
                }
                Err(RecvTimeoutError::Timeout) => pending = self.look(pending),
                Ok(Lookup::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks for every topic whose time has come; what is left is still to be found.
    fn look(&self, pending: Vec<Pending>) -> Vec<Pending> {
        let mut left = Vec::new();
        let mut unreachable: Option<String> = None;
        for pending in pending {
            if pending.wanted.sink.is_closed() {
                continue;
            }
            if pending.due > Instant::now() {
                left.push(pending);
                continue;
            }
            // One question is enough to know that no broker answers.
            let found = match &unreachable {
                Some(reason) => Err(Obstacle::Unreachable(reason.clone())),
                None => self.find(&pending.wanted),
            };
            if let Err(Obstacle::Unreachable(reason)) = &found {
                unreachable = Some(reason.clone());
            }
            if let Some(pending) = self.report(pending, found) {
                left.push(pending);
            }
        }
        left
    }

    /// Hands on what was found, or says what is waited for and keeps looking.
    fn report(&self, mut pending: Pending, found: Result<Vec<Found>, Obstacle>) -> Option<Pending> {
        let topic = &pending.wanted.topic;
        let words = match found {
            Ok(found) => {
                let Wanted { topic, sink, .. } = pending.wanted;
                let _ = self.reader.send(Command::Assign { topic, found, sink });
                return None;
            }
            Err(Obstacle::Fail(error)) => {
                pending.wanted.sink.failed(error);
                return None;
            }
            Err(Obstacle::Missing) => {
                let words = format!(
                    "topic {topic} does not exist yet: the connector creates it when it reads the first row of the table, so \
                 check that it runs and captures this table"
                );
                pending.wanted.sink.no_topic(&words, self.tick);
                pending.told = None;
                return Some(pending.later());
            }
            Err(Obstacle::Wait(words) | Obstacle::Unreachable(words)) => words,
        };
        if pending.told.as_ref() != Some(&words) {
            pending.wanted.sink.waiting(&words);
            pending.told = Some(words);
        }
        Some(pending.later())
    }

    fn topic_ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
        match self.partition_ids(topic).and_then(|partitions| self.watermarks(topic, partitions)) {
            Ok(found) => Ok(found.into_iter().map(|found| (found.partition, found.high)).collect()),
            Err(Obstacle::Missing) => Ok(BTreeMap::from([(0, 0)])),
            Err(Obstacle::Wait(words) | Obstacle::Unreachable(words)) => Err(words),
            Err(Obstacle::Fail(error)) => Err(error.to_string()),
        }
    }

    fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, Obstacle> {
        match wanted.sink.reads {
            Reads::Changes => self.partitions(&wanted.topic, &wanted.resume),
            Reads::Last => Ok(self
                .watermarks(&wanted.topic, self.partition_ids(&wanted.topic)?)?
                .into_iter()
                .map(|Watermarks { partition, low, high }| Found {
                    range: PartitionRange { partition, next: low.max(high - 1), end: high },
                    low,
                    last_ts_ms: None,
                })
                .collect()),
        }
    }

    /// What is to be read of each partition of a topic.
    fn partitions(&self, topic: &Arc<str>, resume: &HashMap<i32, Resume>) -> Result<Vec<Found>, Obstacle> {
        let partitions = self.partition_ids(topic)?;
        if partitions.len() > 1 {
            let partitions = partitions.len();
            return Err(Obstacle::Fail(ConsumeError::Partitions { topic: topic.clone(), partitions }));
        }
        self.watermarks(topic, partitions)?
            .into_iter()
            .map(|found| start(topic, found.partition, resume.get(&found.partition).copied(), (found.low, found.high)))
            .collect::<Result<_, _>>()
            .map_err(Obstacle::Fail)
    }

    /// Looks up the ends of partitions, with one question per broker.
    fn find_ends(&self, partitions: TopicPartitionList) -> KafkaResult<()> {
        if partitions.count() == 0 {
            return Ok(());
        }
        // The "time" to look for is the end of the partition (ListOffsets, timestamp -1).
        let found = self.client.offsets_for_times(partitions, TIMEOUT)?;
        for end in found.elements() {
            end.error()?;
            if let Offset::Offset(offset) = end.offset() {
                self.ends.found(end.topic(), end.partition(), offset);
            }
        }
        Ok(())
    }

    /// First offset and end of each partition.
    fn watermarks(&self, topic: &str, partitions: Vec<i32>) -> Result<Vec<Watermarks>, Obstacle> {
        partitions
            .into_iter()
            .map(|partition| match self.client.fetch_watermarks(topic, partition, TIMEOUT) {
                Ok((low, high)) => Ok(Watermarks { partition, low, high }),
                Err(error) => Err(Obstacle::Wait(match self.consumer.context().outage.reason() {
                    Some(reason) => reason,
                    None => format!("the ends of topic {topic}, partition {partition}, cannot be read yet: {error}"),
                })),
            })
            .collect()
    }

    fn partition_ids(&self, topic: &str) -> Result<Vec<i32>, Obstacle> {
        let metadata = self
            .client
            .fetch_metadata(Some(topic), TIMEOUT)
            .map_err(|error| Obstacle::Unreachable(self.unreachable(&error)))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic).ok_or(Obstacle::Missing)?;
        match found.error() {
            None if found.partitions().is_empty() => Err(Obstacle::Missing),
            None => Ok(found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect()),
            Some(error) => Err(topic_error(topic, error)),
        }
    }

    fn unreachable(&self, error: &rdkafka::error::KafkaError) -> String {
        self.consumer.context().outage.reason().unwrap_or_else(|| {
            format!("Kafka at {} does not answer ({error}); check spec.kafka and the network", self.bootstrap_servers)
        })
    }
}

fn topic_error(topic: &str, error: RDKafkaRespErr) -> Obstacle {
    match RDKafkaErrorCode::from(error) {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => Obstacle::Missing,
        RDKafkaErrorCode::TopicAuthorizationFailed => Obstacle::Wait(format!(
            "Kafka does not allow reading topic {topic}: give the Kafka user READ and DESCRIBE on it"
        )),
        other => Obstacle::Wait(format!("topic {topic} cannot be read yet: {other}")),
    }
}
