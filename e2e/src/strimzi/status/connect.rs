//! Statuses of `KafkaConnect`: there is none before it is ready or has failed.

use serde_json::{Value, json};

use super::{carried, condition, not_ready, with};
use crate::strimzi::refusal::Refusal;
use crate::strimzi::resource::{Resource, View};

/// What is known of a Connect whose worker answers.
pub(in crate::strimzi) struct ConnectObserved {
    /// The answer of `GET /connector-plugins`, if the annotation asks for connectors as resources.
    pub(in crate::strimzi) plugins: Option<Value>,
    /// The number of workers; with none there is no address.
    pub(in crate::strimzi) replicas: i64,
}

pub(in crate::strimzi) fn connect_ready(connect: &Resource, observed: &ConnectObserved) -> Value {
    describe(connect, observed, &condition("Ready", true))
}

/// With what was observed before it failed, if anything was.
pub(in crate::strimzi) fn connect_failed(
    connect: &Resource,
    observed: Option<&ConnectObserved>,
    refusal: &Refusal,
) -> Value {
    match observed {
        Some(observed) => describe(connect, observed, &not_ready(refusal)),
        None => with(
            carried(connect, &["labelSelector", "url", "connectorPlugins"]),
            json!({
                "conditions": [not_ready(refusal)],
                "observedGeneration": connect.generation(),
                "replicas": connect.at("/status/replicas").as_i64().unwrap_or(0),
            }),
        ),
    }
}

fn describe(connect: &Resource, observed: &ConnectObserved, condition: &Value) -> Value {
    let (namespace, name) = connect.key();
    let mut status = json!({
        "conditions": [condition],
        "labelSelector": format!(
            "strimzi.io/cluster={name},strimzi.io/name={name}-connect,strimzi.io/kind=KafkaConnect"
        ),
        "observedGeneration": connect.generation(),
        "replicas": observed.replicas,
    });
    if observed.replicas > 0 {
        status["url"] = format!("http://{name}-connect-api.{namespace}.svc:8083").into();
        if let Some(plugins) = &observed.plugins {
            status["connectorPlugins"] = plugins.clone();
        }
    }
    status
}

pub(in crate::strimzi) fn connect_paused(connect: &Resource) -> Value {
    json!({
        "conditions": [condition("ReconciliationPaused", true)],
        "observedGeneration": connect.observed_generation(),
        "replicas": 0,
    })
}
