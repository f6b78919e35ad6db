//! The Kafka Connect cluster that runs the Debezium connector. Only the operator reads this.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Resources;

/// Kafka Connect: at most one of `image`, `build` and `clusterName`; without any, the operator's default image runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.image), has(self.build), has(self.clusterName)].filter(set, set).size() <= 1").message("connect takes at most one of connect.image, connect.build and connect.clusterName"))]
pub struct Connect {
    /// Image of a Kafka Connect worker that contains the Debezium Postgres connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// Lets Strimzi build such an image and push it to a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<ConnectBuild>,
    /// Name of an existing KafkaConnect in this namespace, which uses the same Kafka and has the Debezium Postgres
    /// connector, the annotation `strimzi.io/use-connector-resources: "true"`, and in its configuration
    /// `config.providers: secrets` with `config.providers.secrets.class:
    /// io.strimzi.kafka.KubernetesSecretConfigProvider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub cluster_name: Option<String>,
    /// Number of workers. One runs the connector; more make it move faster when its worker dies.
    #[serde(default = "workers")]
    #[schemars(range(min = 1, max = 16))]
    pub replicas: i32,
    /// CPU and memory of each worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Default for Connect {
    fn default() -> Self {
        Self { image: None, build: None, cluster_name: None, replicas: workers(), resources: None }
    }
}

const fn workers() -> i32 {
    1
}

/// An image that Strimzi builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectBuild {
    /// Name and tag under which the image is pushed.
    #[schemars(length(min = 1, max = 1024))]
    pub image: String,
    /// Secret of type `kubernetes.io/dockerconfigjson` with the right to push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub push_secret: Option<String>,
}
