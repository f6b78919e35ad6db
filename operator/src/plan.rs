//! Checks a resource and resolves it into one [`Plan`], or a [`Rejection`] that says what to do. Pure.
//!
//! Everything after this takes the plan, never the resource as it was written.

mod connect;
mod division;
mod kafka;
mod rejection;
mod replicator;
mod secrets;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use tributary_crds::{CdcReplication, DeletionPolicy, check::check, topic};

use crate::build::connector::cluster_config;

pub use connect::{ConnectImage, ConnectPlan, OwnConnect};
pub use kafka::OwnKafka;
pub(crate) use kafka::user_name as kafka_user;
pub use rejection::Rejection;
pub(crate) use replicator::memory_resources;
pub use replicator::{MountedSecret, ReplicatorPlan};
pub use secrets::{SecretValue, SecretVersion, SecretVersions, secret_names};

/// What the operator's own settings and the cluster say about every resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Image of the replicator, for resources that name none.
    pub replicator_image: String,
    /// Image of a Kafka Connect worker with the Debezium Postgres connector, for resources that name none.
    pub connect_image: Option<String>,
    /// Version of the Kafka clusters, brokers and Connect, that Strimzi makes.
    pub kafka_version: String,
    /// Whether the API server knows the Prometheus operator's `PodMonitor`.
    pub pod_monitors: bool,
}

/// Everything that the children of one resource follow from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the resource.
    pub name: String,
    /// Its namespace, where all its children are.
    pub namespace: String,
    /// The reference with which its children point at it.
    pub owner: OwnerReference,
    /// The resource as the replicator reads it: Kafka resolved to `kafka.external`, without status.
    pub resource: CdcReplication,
    /// The Kafka cluster of its own; `None` when it uses one that exists.
    pub kafka: Option<OwnKafka>,
    /// Kafka Connect, and what the connector reads.
    pub connect: ConnectPlan,
    /// The connector's configuration, with placeholders for what is secret.
    pub connector_config: BTreeMap<String, String>,
    /// The pods of the replicator.
    pub replicator: ReplicatorPlan,
    /// Whether a `PodMonitor` is made.
    pub pod_monitor: bool,
}

impl Plan {
    /// Resolves a resource as the API server has it. `secrets` are those of [`secret_names`] that exist.
    pub fn of(resource: &CdcReplication, defaults: &Defaults, secrets: &SecretVersions) -> Result<Self, Rejection> {
        let owner = resource.controller_owner_ref(&()).ok_or_else(Rejection::not_stored)?;
        Rejection::of_violations(&check(resource))?;
        let kafka = OwnKafka::of(resource, &defaults.kafka_version);
        let resolved = resolved(resource, kafka.as_ref());
        let references = secrets::references(&resolved);
        secrets.check(&references)?;
        Ok(Self {
            name: resource.name_any(),
            namespace: topic::namespace(resource),
            owner,
            connect: ConnectPlan::of(&resolved, defaults, &references, secrets)?,
            replicator: ReplicatorPlan::of(&resolved, kafka.as_ref(), defaults, &references, secrets)?,
            connector_config: cluster_config(&resolved, kafka.as_ref())
                .map_err(|error| Rejection::of_connector(&error))?,
            pod_monitor: defaults.pod_monitors,
            resource: resolved,
            kafka,
        })
    }

    /// Nothing is read and nothing is written for now.
    pub const fn is_suspended(&self) -> bool {
        self.resource.spec.suspend
    }

    /// What is left in Kafka and the database goes with the resource.
    pub fn deletes(&self) -> bool {
        self.resource.spec.deletion_policy == DeletionPolicy::Delete
    }
}

/// The resource as the replicator reads it: the part that it needs, and nothing that changes by itself.
fn resolved(resource: &CdcReplication, kafka: Option<&OwnKafka>) -> CdcReplication {
    let mut resolved = CdcReplication::new(&resource.name_any(), resource.spec.clone());
    resolved.metadata = ObjectMeta {
        name: resource.metadata.name.clone(),
        uid: resource.metadata.uid.clone(),
        namespace: Some(topic::namespace(resource)),
        ..ObjectMeta::default()
    };
    if let Some(kafka) = kafka {
        resolved.spec.kafka = kafka.as_external(resource);
    }
    resolved
}

/// Sixteen hexadecimal digits that are the same for the same text on every machine and for ever.
pub(crate) fn digest(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}
