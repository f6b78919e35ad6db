//! The clean-up itself, one step a pass: what is deleted, what is waited for, and what is given up.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tributary_crds::{CdcReplication, topic};
use tributary_sources::postgres::{self, publication, slot};

use super::{Left, Progress, Remains, Step};
use crate::apply::{ApplyError, Live, Target};
use crate::kafka::{self, Kafka};
use crate::log::described;
use crate::observe::kafka_options;

/// Connector, Connect and replicator.
const RUNNING: [&str; 3] = ["KafkaConnector", "KafkaConnect", "StatefulSet"];
const TOPICS: [&str; 1] = ["KafkaTopic"];
const CLUSTER: [&str; 3] = ["KafkaUser", "Kafka", "KafkaNodePool"];
/// Objects are watched; this is for what is not, and for limits.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How a clean-up goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanUpStep {
    /// Something takes its time.
    Waits(Duration, String),
    /// The resource may go; this is left.
    Done(Vec<Left>),
}

/// The clean-up of one resource.
pub struct CleanUp<'a> {
    /// Its objects.
    pub target: Target<'a>,
    /// The resource.
    pub resource: &'a CdcReplication,
}

impl CleanUp<'_> {
    /// Goes on until something takes its time, or nothing is left.
    pub async fn advance(&self, progress: &mut Progress) -> Result<CleanUpStep, ApplyError> {
        loop {
            let now = Timestamp::now();
            let step = progress.next(self.remains(), now);
            tracing::debug!(instance = self.target.instance, ?step, "clean-up");
            let waits = match step {
                Step::Offsets => self.offsets(progress, now).await?,
                Step::Stop => self.delete(&RUNNING, "connector, Connect and replicator to stop").await?,
                Step::Topics => self.delete(&TOPICS, "topics to be deleted").await?,
                Step::Cluster => self.delete(&CLUSTER, "the Kafka to be deleted").await?,
                Step::Source => self.source(progress, now).await,
                Step::ExternalTopics => self.external_topics(progress, now).await,
                Step::FreeTopics => self.free_topics(progress).await?,
                Step::LetGo => return Ok(CleanUpStep::Done(self.left(progress))),
            };
            if let Some(waits) = waits {
                return Ok(waits);
            }
        }
    }

    pub(super) fn of<'a>(&'a self, kinds: &'a [&str]) -> impl Iterator<Item = &'a Live> {
        self.target.live.iter().filter(|live| kinds.contains(&live.kind.kind))
    }

    fn remains(&self) -> Remains {
        let any = |kinds| self.of(kinds).next().is_some();
        Remains {
            shared_connect: self.resource.spec.connect.cluster_name.is_some(),
            running: any(&RUNNING),
            topics: any(&TOPICS),
            cluster: any(&CLUSTER),
            external: self.resource.spec.kafka.external.is_some(),
        }
    }

    /// Deletes objects that are not being deleted yet, and waits for all of them.
    async fn delete(&self, kinds: &[&str], what: &str) -> Result<Option<CleanUpStep>, ApplyError> {
        for live in self.of(kinds).filter(|live| live.object.pointer("/metadata/deletionTimestamp").is_none()) {
            self.target.delete(live).await?;
        }
        let names: Vec<String> = self.of(kinds).map(|live| format!("{} {}", live.kind.kind, live.name)).collect();
        Ok(Some(CleanUpStep::Waits(LOOK_AGAIN, format!("waiting for {what}: {}", names.join(", ")))))
    }

    async fn source(&self, progress: &mut Progress, now: Timestamp) -> Option<CleanUpStep> {
        match self.drop_source().await {
            Ok(()) => {
                progress.done(Step::Source);
                None
            }
            Err(why) if progress.is_over(Step::Source, now) => {
                progress.give_up(Step::Source, self.slot_left(&why));
                None
            }
            Err(why) => Some(CleanUpStep::Waits(LOOK_AGAIN, format!("cannot drop slot and publication yet: {why}"))),
        }
    }

    async fn drop_source(&self) -> Result<(), String> {
        let Some(postgres) = &self.resource.spec.source.postgres else { return Ok(()) };
        let credentials = crate::observe::credentials(self.target.client, self.target.namespace, postgres).await;
        let credentials = credentials.map_err(|error| described(&error))?;
        postgres::cleanup(self.resource, postgres, &credentials).await.map_err(|error| described(&error))
    }

    async fn external_topics(&self, progress: &mut Progress, now: Timestamp) -> Option<CleanUpStep> {
        match self.delete_external_topics().await {
            Ok(topics) => {
                tracing::info!(instance = self.target.instance, ?topics, "deleted topics");
                progress.done(Step::ExternalTopics);
                None
            }
            Err(why) if progress.is_over(Step::ExternalTopics, now) => {
                progress.give_up(Step::ExternalTopics, self.topics_left(&why));
                None
            }
            Err(why) => Some(CleanUpStep::Waits(LOOK_AGAIN, format!("cannot delete the topics yet: {why}"))),
        }
    }

    async fn delete_external_topics(&self) -> Result<Vec<String>, String> {
        let Some(external) = &self.resource.spec.kafka.external else { return Ok(Vec::new()) };
        let (client, namespace) = (self.target.client, self.target.namespace);
        let options = kafka_options(client, namespace, external).await;
        let client = Kafka::new(&external.bootstrap_servers, options.map_err(|error| described(&error))?);
        kafka::delete_topics(&client, self.resource).await.map_err(|error| described(&error))
    }

    /// The topic operator that should answer to the finalizers is gone, or does not work; the data goes with the Kafka.
    async fn free_topics(&self, progress: &mut Progress) -> Result<Option<CleanUpStep>, ApplyError> {
        for live in self.of(&TOPICS) {
            self.target.ask("free", live, Some(json!({"metadata": {"finalizers": Value::Null}}))).await?;
        }
        progress.done(Step::FreeTopics);
        Ok(None)
    }

    /// Everything that could not be removed.
    fn left(&self, progress: &Progress) -> Vec<Left> {
        let mut left = progress.left.clone();
        let names: Vec<String> = self
            .of(&[&RUNNING[..], &TOPICS[..], &CLUSTER[..]].concat())
            .map(|live| format!("{} {}", live.kind.kind, live.name))
            .collect();
        if !names.is_empty() {
            let what = format!("objects that did not go in time: {}", names.join(", "));
            left.push(Left { what, command: delete_objects(self.target.namespace, self.target.instance) });
        }
        left
    }

    fn slot_left(&self, why: &str) -> Left {
        let what = format!("replication slot {} and its publication ({why})", slot(self.resource));
        Left { what, command: drop_slot(self.resource) }
    }

    fn topics_left(&self, why: &str) -> Left {
        Left {
            what: format!("topics {}.* ({why})", topic::prefix(self.resource)),
            command: delete_topics(self.resource),
        }
    }
}

/// The command that drops slot and publication.
pub(crate) fn drop_slot(resource: &CdcReplication) -> String {
    let (slot, publication) = (slot(resource), publication(resource));
    let at = resource.spec.source.postgres.as_ref().map_or(String::new(), |postgres| {
        format!(" -h {} -p {} -d {}", postgres.host, postgres.port, postgres.database)
    });
    let slot = format!("psql{at} -c \"SELECT pg_drop_replication_slot('{slot}')\"");
    // Whoever keeps the publication decides about it.
    let managed = resource.spec.source.postgres.as_ref().is_none_or(|postgres| postgres.publication.managed);
    if managed { format!("{slot} -c 'DROP PUBLICATION IF EXISTS \"{publication}\"'") } else { slot }
}

/// The command that deletes the topics of a Kafka that is not ours.
pub(crate) fn delete_topics(resource: &CdcReplication) -> String {
    let servers = resource.spec.kafka.external.as_ref().map_or("BROKERS", |kafka| kafka.bootstrap_servers.as_str());
    let topics: Vec<String> = kafka::owned_topics(resource).iter().map(|topic| topic.replace('.', "\\.")).collect();
    format!("kafka-topics.sh --bootstrap-server {servers} --delete --topic '{}'", topics.join("|"))
}

/// The command that deletes all objects that are not collected by themselves.
pub(crate) fn delete_objects(namespace: &str, instance: &str) -> String {
    format!(
        "kubectl -n {namespace} delete kafkaconnector,kafkaconnect,kafkatopic,kafkauser,kafka,kafkanodepool,statefulset -l app.kubernetes.io/name=tributary,app.kubernetes.io/instance={instance}"
    )
}
