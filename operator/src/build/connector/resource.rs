//! The `KafkaConnector`, with placeholders in place of the Secrets' values.

use std::collections::BTreeMap;

use tributary_crds::{CdcReplication, topic};

use super::{ConnectorError, ConnectorSecrets, RegistryLogin, connector_config};
use crate::build::{Component, of_cluster};
use crate::plan::{OwnKafka, Plan};
use crate::strimzi::{
    Resource,
    connector::{AutoRestart, KafkaConnectorSpec, State},
};

/// Alias of the provider that gives Kafka Connect the values of Secrets.
pub(crate) const PROVIDER: &str = "secrets";
/// Part of the configuration that nobody reads. It changes with the Secrets: Kafka Connect reads them again only when
/// a connector starts, and a new configuration starts it.
const SECRETS_VERSION: &str = "tributary.secrets.version";

/// The connector of a plan; it has the resource's name.
pub(in crate::build) fn resource(plan: &Plan) -> Resource<KafkaConnectorSpec> {
    let mut config = plan.connector_config.clone();
    config.insert(SECRETS_VERSION.to_owned(), plan.connect.connector_secrets_version.clone());
    // Strimzi has fields of its own for these, and drops them from the configuration without a word.
    let class = config.remove("connector.class").unwrap_or_default();
    let tasks_max = config.remove("tasks.max").and_then(|tasks| tasks.parse().ok()).unwrap_or(1);
    let metadata = of_cluster(Component::Connect.owned(plan, plan.name.clone()), &plan.connect.name);
    let spec = KafkaConnectorSpec {
        class,
        tasks_max,
        // Stopped, not paused: a paused connector keeps its tasks, and their connection to the slot.
        state: if plan.is_suspended() { State::Stopped } else { State::Running },
        // A database that was away for a while needs nobody's hand.
        auto_restart: AutoRestart { enabled: true },
        config,
    };
    Resource::new(metadata, spec)
}

/// The configuration for a cluster, of a resource whose Kafka is resolved.
pub(crate) fn cluster_config(
    resource: &CdcReplication,
    kafka: Option<&OwnKafka>,
) -> Result<BTreeMap<String, String>, ConnectorError> {
    let replication = kafka.and_then(|kafka| u16::try_from(kafka.replication).ok());
    connector_config(resource, &placeholders(resource), replication)
}

fn placeholders(resource: &CdcReplication) -> ConnectorSecrets {
    let login = |secret: &str| (placeholder(resource, secret, "username"), placeholder(resource, secret, "password"));
    let postgres = resource.spec.source.postgres.as_ref();
    let (username, password) = postgres.map(|it| login(&it.credentials.secret_name)).unwrap_or_default();
    let registry = resource.spec.format.avro.as_ref().and_then(|avro| avro.credentials.as_ref());
    let registry =
        registry.map(|it| login(&it.secret_name)).map(|(username, password)| RegistryLogin { username, password });
    ConnectorSecrets { username, password, registry }
}

/// What Kafka Connect replaces by the value of a Secret's key.
pub(in crate::build) fn placeholder(resource: &CdcReplication, secret: &str, key: &str) -> String {
    format!("${{{PROVIDER}:{}/{secret}:{key}}}", topic::namespace(resource))
}
