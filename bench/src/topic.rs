//! Fills a topic as fast as Kafka takes it, with the producer settings that our connectors have.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::events::Messages;

const PATIENCE: Duration = Duration::from_mins(2);

/// Writes all messages to the one partition of `topic`, and makes sure that each lies at its offset. Blocks.
pub(crate) fn fill(bootstrap_servers: &str, topic: &str, messages: &Messages) -> anyhow::Result<()> {
    let producer = producer(bootstrap_servers)?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for offset in 0..messages.len() {
        messages.write(offset, &mut key, &mut value);
        send(&producer, BaseRecord::to(topic).partition(0).key(&key).payload(&value))?;
    }
    producer.flush(PATIENCE)?;
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap_servers).create()?;
    let (_, end) = consumer.fetch_watermarks(topic, 0, PATIENCE)?;
    anyhow::ensure!(end as u64 == messages.len(), "{topic} has {end} messages instead of {}", messages.len());
    Ok(())
}

fn producer(bootstrap_servers: &str) -> anyhow::Result<BaseProducer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("batch.size", "524288")
        .set("batch.num.messages", "100000")
        .set("linger.ms", "20")
        .set("queue.buffering.max.kbytes", "65536");
    config.create().context("cannot start a Kafka producer")
}

fn send(producer: &BaseProducer, mut record: BaseRecord<'_, Vec<u8>, Vec<u8>>) -> anyhow::Result<()> {
    loop {
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                producer.poll(Duration::from_millis(10));
                record = refused;
            }
            Err((error, _)) => return Err(error).context("Kafka refuses a message"),
        }
    }
}
