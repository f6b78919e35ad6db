//! Messages of topics as they are: read the last ones, write some as nobody's connector would, count them.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::stack::Stack;

const TIMEOUT: Duration = Duration::from_secs(30);

impl Stack {
    /// The offset after the last message of a topic's partition 0.
    pub async fn end_offset(&self, topic: &str) -> anyhow::Result<i64> {
        let (config, topic) = (client(self), topic.to_owned());
        blocking(move || Ok(config.create::<BaseConsumer>()?.fetch_watermarks(&topic, 0, TIMEOUT)?.1)).await
    }

    /// The last messages of a topic's partition 0, oldest first.
    pub async fn last_messages(&self, topic: &str, count: i64) -> anyhow::Result<Vec<OwnedMessage>> {
        let (config, topic) = (client(self), topic.to_owned());
        blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let (low, high) = consumer.fetch_watermarks(&topic, 0, TIMEOUT)?;
            let mut assignment = TopicPartitionList::new();
            assignment.add_partition_offset(&topic, 0, Offset::Offset(low.max(high - count)))?;
            consumer.assign(&assignment)?;
            let (mut messages, deadline) = (Vec::<OwnedMessage>::new(), Instant::now() + TIMEOUT);
            while messages.last().is_none_or(|last| last.offset() + 1 < high) {
                anyhow::ensure!(Instant::now() < deadline, "{topic} cannot be read up to offset {high}");
                if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                    messages.push(message?.detach());
                }
            }
            Ok(messages)
        })
        .await
    }

    /// Appends copies of messages to partition 0 of their topic, headers included.
    pub async fn produce_again(&self, messages: Vec<OwnedMessage>) -> anyhow::Result<()> {
        let config = client(self);
        blocking(move || {
            let producer: ThreadedProducer<_> = config.create()?;
            for message in &messages {
                let mut record = BaseRecord::<[u8], [u8]>::to(message.topic()).partition(0);
                record.key = message.key();
                record.payload = message.payload();
                record.headers = message.headers().cloned();
                producer.send(record).map_err(|(error, _)| error)?;
            }
            Ok(producer.flush(TIMEOUT)?)
        })
        .await
    }

    /// Appends one message to partition 0 of a topic.
    pub async fn produce(&self, topic: &str, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        let (config, topic, key, value) = (client(self), topic.to_owned(), key.to_owned(), value.to_owned());
        blocking(move || {
            let producer: ThreadedProducer<_> = config.create()?;
            let record = BaseRecord::to(&topic).partition(0).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
            Ok(producer.flush(TIMEOUT)?)
        })
        .await
    }

    /// Deletes a topic's messages before an offset, as retention would.
    pub async fn delete_messages(&self, topic: &str, before: i64) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = client(self).create()?;
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(before))?;
        admin.delete_records(&offsets, &AdminOptions::new()).await.context("cannot delete messages")?;
        Ok(())
    }
}

fn client(stack: &Stack) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.addresses().bootstrap_servers());
    config.set("group.id", "tests").set("enable.auto.commit", "false");
    config
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
