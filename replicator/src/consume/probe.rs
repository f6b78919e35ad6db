//! Looks at a cluster without reading on: are there brokers, is there a topic, what do its last messages look like.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::batching::{Building, Incoming};
use super::context::Context;
use super::{Budget, ConsumeError, KafkaClient, RawBatch};

/// How long the brokers have to answer at first, with a login and a handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one question, or the end of a partition, may take after that.
const ANSWER: Duration = Duration::from_secs(5);
/// Bound of the bytes of one sample.
const SAMPLE_BYTES: usize = 16 << 20;

/// A connection for looking. Its calls block.
pub struct Probe {
    consumer: BaseConsumer<Context>,
}

/// What can be seen of a topic.
pub enum Sample {
    /// There is no such topic.
    Missing,
    /// It has so many partitions, and is not read.
    Several(usize),
    /// Its last messages, partition by partition; none of an empty topic.
    Messages(Vec<RawBatch>),
}

impl Probe {
    /// Prepares a connection; nothing is sent yet.
    pub fn new(client: &KafkaClient) -> Result<Self, ConsumeError> {
        let mut config = client.connection();
        // No group is joined and nothing is committed, but librdkafka assigns no partitions without a name.
        config.set("group.id", &client.group_id).set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        let consumer =
            config.create_with_context(Context::default()).map_err(|error| ConsumeError::settings(&error))?;
        Ok(Self { consumer })
    }

    /// The number of brokers, or why none answers.
    pub fn brokers(&self, topic: &str) -> Result<usize, String> {
        let deadline = Instant::now() + CONNECT;
        loop {
            match self.consumer.fetch_metadata(Some(topic), Duration::from_secs(1)) {
                Ok(metadata) => return Ok(metadata.brokers().len()),
                Err(error) => {
                    // Polling is what brings the client's errors, and so the reason.
                    let _ = self.consumer.poll(Duration::from_millis(50));
                    let outage = &self.consumer.context().outage;
                    if outage.is_final() || Instant::now() > deadline {
                        return Err(outage.reason().unwrap_or_else(|| format!("no Kafka broker answers ({error})")));
                    }
                }
            }
        }
    }

    /// The last `count` messages of each partition of a topic.
    pub fn sample(&self, topic: &str, count: i64) -> Result<Sample, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWER)?;
        let Some(partitions) = partitions(&metadata, topic)? else { return Ok(Sample::Missing) };
        if partitions.len() > 1 {
            return Ok(Sample::Several(partitions.len()));
        }
        let mut tail = TopicPartitionList::new();
        for partition in &partitions {
            tail.add_partition_offset(topic, *partition, Offset::OffsetTail(count))?;
        }
        self.consumer.assign(&tail)?;
        let read = self.read(topic, &partitions);
        self.consumer.unassign()?;
        read.map(Sample::Messages)
    }

    /// What comes until the end of every partition.
    fn read(&self, topic: &str, partitions: &[i32]) -> Result<Vec<RawBatch>, KafkaError> {
        let budget = Budget::new(SAMPLE_BYTES);
        let building = |partition| Building::new(topic.into(), partition, budget.share(), SAMPLE_BYTES);
        let mut samples: Vec<(i32, Building)> = partitions.iter().map(|id| (*id, building(*id))).collect();
        let (mut ended, deadline) = (0, Instant::now() + ANSWER);
        while ended < partitions.len() && Instant::now() < deadline && budget.used() < SAMPLE_BYTES {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let sample = samples.iter_mut().find(|(partition, _)| *partition == message.partition());
                    let incoming = Incoming {
                        offset: message.offset(),
                        key: message.key(),
                        value: message.payload(),
                        ..Incoming::default()
                    };
                    // Never full: the loop ends before the sample does.
                    sample.map(|(_, building)| building.push(Instant::now(), incoming));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        Ok(samples.into_iter().filter_map(|(_, mut building)| building.take()).collect())
    }
}

/// The partitions of a topic; `None` when there is no such topic.
fn partitions(metadata: &Metadata, topic: &str) -> Result<Option<Vec<i32>>, KafkaError> {
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None if found.partitions().is_empty() => Ok(None),
        None => Ok(Some(found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect())),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}
