//! Statuses of Kafka and of `KafkaNodePool`.

use serde_json::{Value, json};

use super::{carried, condition, explained, not_ready, with};
use crate::strimzi::kafka::{Layout, Pool};
use crate::strimzi::listeners::Listener;
use crate::strimzi::refusal::Refusal;
use crate::strimzi::resource::{Resource, View};

/// What is known of a Kafka that runs.
pub(in crate::strimzi) struct KafkaObserved<'a> {
    pub(in crate::strimzi) layout: &'a Layout,
    pub(in crate::strimzi) cluster_id: &'a str,
    /// The authority's certificate (PEM), shown for the listeners that have TLS.
    pub(in crate::strimzi) authority: Option<&'a str>,
}

/// What an operator writes that sees a Kafka for the first time.
pub(in crate::strimzi) fn kafka_creating() -> Value {
    json!({
        "conditions": [explained("NotReady", true, "Creating", "Kafka cluster is being deployed")],
        "observedGeneration": 0,
    })
}

pub(in crate::strimzi) fn kafka_ready(kafka: &Resource, observed: &KafkaObserved<'_>) -> Value {
    let layout = observed.layout;
    let mut conditions = storage_warnings(layout);
    conditions.push(condition("Ready", true));
    json!({
        "clusterId": observed.cluster_id,
        "clusterSecurity": cluster_security(),
        "conditions": conditions,
        "kafkaMetadataVersion": layout.metadata_version,
        "kafkaNodePools": layout.pools.iter().map(|pool| json!({"name": pool.name})).collect::<Vec<_>>(),
        "kafkaVersion": layout.version,
        "listeners": layout.listeners.iter().map(|it| listener(kafka, it, observed.authority)).collect::<Vec<_>>(),
        "observedGeneration": kafka.generation(),
        "operatorLastSuccessfulVersion": "1.2.0",
    })
}

fn listener(kafka: &Resource, listener: &Listener, authority: Option<&str>) -> Value {
    let (namespace, name) = kafka.key();
    let host = format!("{name}-kafka-bootstrap.{namespace}.svc");
    let mut status = json!({
        "addresses": [{"host": host, "port": listener.port}],
        "bootstrapServers": format!("{host}:{}", listener.port),
        "name": listener.name,
    });
    if let (true, Some(authority)) = (listener.tls, authority) {
        status["certificates"] = json!([authority]);
    }
    status
}

fn cluster_security() -> Value {
    json!({"authentication": {"type": "strimzi-mtls"}, "encryption": {"type": "strimzi-tls"}})
}

fn storage_warnings(layout: &Layout) -> Vec<Value> {
    let single = |has_role: fn(&Pool) -> bool| {
        let mut pools = layout.pools.iter().filter(|pool| has_role(pool));
        match (pools.next(), pools.next()) {
            (Some(only), None) => only.replicas == 1 && only.is_ephemeral,
            _ => false,
        }
    };
    let mut warnings = Vec::new();
    if single(|pool| pool.broker) {
        let loses = "broker node and ephemeral storage will lose topic messages after any restart or rolling update.";
        warnings.push(storage_warning(loses));
    }
    if single(|pool| pool.controller) {
        let loses = "controller node and ephemeral storage will lose data after any restart or rolling update.";
        warnings.push(storage_warning(loses));
    }
    warnings
}

fn storage_warning(loses: &str) -> Value {
    explained("Warning", true, "KafkaStorage", &format!("A Kafka cluster with a single {loses}"))
}

/// The listeners go, and what was known of the cluster stays.
pub(in crate::strimzi) fn kafka_failed(kafka: &Resource, refusal: &Refusal) -> Value {
    let known = ["clusterId", "kafkaMetadataVersion", "kafkaVersion", "operatorLastSuccessfulVersion"];
    let status = json!({
        "clusterSecurity": cluster_security(),
        "conditions": [not_ready(refusal)],
        "observedGeneration": kafka.generation(),
    });
    with(carried(kafka, &known), status)
}

pub(in crate::strimzi) fn kafka_paused(kafka: &Resource) -> Value {
    let status = json!({
        "conditions": [condition("ReconciliationPaused", true)],
        "observedGeneration": kafka.observed_generation(),
    });
    with(carried(kafka, &["clusterId", "clusterSecurity"]), status)
}

/// A pool has no condition of its own: whether its nodes are ready is the Kafka's to say.
pub(in crate::strimzi) fn pool(kafka: &Resource, resource: &Resource, pool: &Pool, cluster_id: &str) -> Value {
    let cluster = kafka.key().1;
    json!({
        "clusterId": cluster_id,
        "conditions": [],
        "labelSelector": format!(
            "strimzi.io/cluster={cluster},strimzi.io/name={cluster}-kafka,strimzi.io/kind=Kafka,strimzi.io/pool-name={}",
            pool.name
        ),
        "nodeIds": pool.node_ids,
        "observedGeneration": resource.generation(),
        "replicas": pool.replicas,
        "roles": pool.roles,
    })
}
