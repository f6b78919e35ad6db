//! `Kafka` and `KafkaNodePool`.

use serde::Serialize;
use tributary_crds::Resources;

use super::{Config, Spec};

/// A Kafka cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSpec {
    /// The brokers.
    pub kafka: Cluster,
    /// Who looks after topics and users.
    pub entity_operator: EntityOperator,
}

impl Spec for KafkaSpec {
    const KIND: &'static str = "Kafka";
}

/// What all brokers share.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Version of Kafka.
    pub version: String,
    /// Version of the metadata's format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_version: Option<&'static str>,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Settings of the brokers.
    pub config: Config,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its name, at most eleven letters and digits.
    pub name: &'static str,
    /// Its port.
    pub port: u16,
    /// Who can reach it.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Whether it is encrypted.
    pub tls: bool,
    /// How clients log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// How clients log in, or a user does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Authentication {
    /// `tls` or `scram-sha-512`.
    #[serde(rename = "type")]
    pub type_: &'static str,
}

/// Who looks after topics and users. An operator that is not in it does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityOperator {
    /// Makes the topics of `KafkaTopic`.
    pub topic_operator: Enabled,
    /// Makes the users of `KafkaUser`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_operator: Option<Enabled>,
}

/// Runs, with its own defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enabled {}

/// Nodes of a Kafka cluster that are alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaNodePoolSpec {
    /// Number of nodes.
    pub replicas: i32,
    /// What they do: `controller`, `broker`.
    pub roles: [&'static str; 2],
    /// Their volumes.
    pub storage: Storage,
    /// CPU and memory of each.
    pub resources: Resources,
}

impl Spec for KafkaNodePoolSpec {
    const KIND: &'static str = "KafkaNodePool";
}

/// Volumes of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// `jbod`: a list of volumes, so that more can be added.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The volumes.
    pub volumes: [Volume; 1],
}

/// One volume of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its number.
    pub id: i32,
    /// `persistent-claim`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Its size.
    pub size: String,
    /// Whether the cluster's own log is on it.
    pub kraft_metadata: &'static str,
    /// Whether it goes with the pool.
    pub delete_claim: bool,
}
