//! Topics of the stack's Kafka.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use super::Stack;

impl Stack {
    /// Creates a topic with this many partitions; returns when every broker knows it.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> anyhow::Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let results = self.admin()?.create_topics([&topic], &options()).await?;
        succeeded(results).with_context(|| format!("cannot create the topic {name}"))
    }

    /// Deletes a topic and what is in it.
    pub async fn delete_topic(&self, name: &str) -> anyhow::Result<()> {
        let results = self.admin()?.delete_topics(&[name], &options()).await?;
        succeeded(results).with_context(|| format!("cannot delete the topic {name}"))
    }

    fn admin(&self) -> anyhow::Result<AdminClient<DefaultClientContext>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.addresses().bootstrap_servers());
        Ok(config.create()?)
    }
}

fn options() -> AdminOptions {
    let patience = Some(Duration::from_secs(20));
    AdminOptions::new().operation_timeout(patience).request_timeout(patience)
}

fn succeeded(results: Vec<rdkafka::admin::TopicResult>) -> anyhow::Result<()> {
    for result in results {
        result.map_err(|(_, code)| anyhow::Error::new(code))?;
    }
    Ok(())
}
