//! Topics in a Kafka that is played, by its admin API.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
    TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaErrorCode;

use super::configuration::Settings;
use super::refusal::Refusal;
use super::topics::Observed;

/// A client of one Kafka.
#[derive(Clone)]
pub(super) struct Admin {
    client: Arc<AdminClient<DefaultClientContext>>,
    /// Where the brokers keep their topics.
    data: Vec<PathBuf>,
}

/// Kafka did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// It will not, for a reason that the resource gives.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be asked, or could not now.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Admin {
    pub(super) fn at(servers: &str, data: Vec<PathBuf>) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set_log_level(RDKafkaLogLevel::Emerg);
        Ok(Self { client: Arc::new(config.create().context("cannot create a Kafka client")?), data })
    }

    /// How many brokers the cluster has now.
    pub(super) async fn brokers(&self) -> anyhow::Result<usize> {
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || client.inner().fetch_metadata(None, Duration::from_secs(1)));
        Ok(asked.await??.brokers().len())
    }

    /// The topic of this name; `None` when there is none.
    pub(super) async fn observe(&self, topic: &str) -> anyhow::Result<Option<Observed>> {
        let (client, name) = (Arc::clone(&self.client), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || client.inner().fetch_metadata(Some(&name), PATIENCE));
        let metadata = asked.await?.with_context(|| format!("cannot look for the topic {topic}"))?;
        let Some(found) = metadata.topics().first().filter(|it| !it.partitions().is_empty()) else { return Ok(None) };
        let replicas = found.partitions().first().map_or(0, |partition| partition.replicas().len());
        Ok(Some(Observed {
            partitions: i32::try_from(found.partitions().len())?,
            replicas: i32::try_from(replicas)?,
            settings: self.settings(topic).await?,
        }))
    }

    async fn settings(&self, topic: &str) -> anyhow::Result<Settings> {
        let answers = self.client.describe_configs([&ResourceSpecifier::Topic(topic)], &options()).await?;
        let mut settings = Settings::new();
        for answer in answers {
            let resource = answer.with_context(|| format!("cannot read the settings of the topic {topic}"))?;
            let own = resource.entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
            settings.extend(own.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }

    /// Creates a topic; -1 partitions or replicas are the broker's default.
    pub(super) async fn create(&self, topic: &str, size: (i32, i32), settings: &Settings) -> Result<(), AdminError> {
        let mut new = NewTopic::new(topic, size.0, TopicReplication::Fixed(size.1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let results = self.client.create_topics([&new], &options()).await;
        self.done(results.map_err(anyhow::Error::new)?, &format!("cannot create the topic {topic}"), size.1).await
    }

    pub(super) async fn grow(&self, topic: &str, partitions: i32) -> Result<(), AdminError> {
        let new = NewPartitions::new(topic, partitions.unsigned_abs() as usize);
        let results = self.client.create_partitions([&new], &options()).await;
        self.done(results.map_err(anyhow::Error::new)?, &format!("cannot add partitions to {topic}"), 0).await
    }

    /// Sets these settings and returns all others to their defaults.
    pub(super) async fn configure(&self, topic: &str, settings: &Settings) -> Result<(), AdminError> {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (name, value) in settings {
            change = change.set(name, value);
        }
        let results = self.client.alter_configs([&change], &options()).await.map_err(anyhow::Error::new)?;
        let results = results.into_iter().map(|result| match result {
            Ok(_) => Ok(topic.to_owned()),
            Err((_, code)) => Err((topic.to_owned(), code)),
        });
        self.done(results.collect(), &format!("cannot change the settings of {topic}"), 0).await
    }

    /// Deletes a topic; it is no error if there is none.
    pub(super) async fn delete(&self, topic: &str) -> anyhow::Result<()> {
        for result in self.client.delete_topics(&[topic], &options()).await? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {}
                Err((_, code)) => return Err(code).with_context(|| format!("cannot delete the topic {topic}")),
            }
        }
        Ok(())
    }

    /// The topic's id, which the client does not tell: as the broker has it in its data.
    pub(super) fn topic_id(&self, topic: &str) -> Option<String> {
        let read = |folder: &PathBuf| {
            // Which broker has which partition is not known here.
            let mut partitions = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
            let partition = partitions.find(|entry| {
                let name = entry.file_name();
                name.to_str().and_then(|name| name.rsplit_once('-')).is_some_and(|(of, _)| of == topic)
            })?;
            let text = std::fs::read_to_string(partition.path().join("partition.metadata")).ok()?;
            text.lines().find_map(|line| line.strip_prefix("topic_id: ")).map(str::to_owned)
        };
        self.data.iter().find_map(read)
    }

    async fn done(&self, results: Vec<TopicResult>, what: &str, replicas: i32) -> Result<(), AdminError> {
        for result in results {
            if let Err((_, code)) = result {
                let brokers = if replicas > 0 { self.brokers().await? } else { 0 };
                return Err(match refusal(code, replicas, brokers) {
                    Some(refusal) => refusal.into(),
                    None => anyhow::Error::new(code).context(what.to_owned()).into(),
                });
            }
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// What is wrong with the resource, in Strimzi's words; the client has the code of Kafka's error and not its text.
fn refusal(code: RDKafkaErrorCode, replicas: i32, brokers: usize) -> Option<Refusal> {
    use RDKafkaErrorCode as Code;
    let (class, text) = match code {
        Code::InvalidReplicationFactor => return Some(too_many_replicas(replicas, brokers)),
        Code::InvalidConfig => {
            let text = "The topic's configuration is invalid: a setting is unknown, or its value is not allowed";
            ("InvalidConfigurationException", text.to_owned())
        }
        Code::InvalidPartitions => ("InvalidPartitionsException", code.to_string()),
        Code::InvalidTopic => ("InvalidTopicException", code.to_string()),
        Code::PolicyViolation => ("PolicyViolationException", code.to_string()),
        Code::InvalidRequest => ("InvalidRequestException", code.to_string()),
        _ => return None,
    };
    Some(Refusal::new("KafkaError", format!("org.apache.kafka.common.errors.{class}: {text}")))
}

/// What Kafka says of a topic with more replicas than there are brokers.
pub(super) fn too_many_replicas(replicas: i32, brokers: usize) -> Refusal {
    let message = format!(
        "org.apache.kafka.common.errors.InvalidReplicationFactorException: Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot be \
         reached because only {brokers} broker(s) are registered or some brokers have all their log directories cordoned."
    );
    Refusal::new("KafkaError", message)
}
