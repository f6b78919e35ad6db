//! Statuses of `KafkaConnector`.

use serde_json::{Value, json};

use super::{condition, not_ready, warning};
use crate::strimzi::auto_restart::AutoRestart;
use crate::strimzi::refusal::Refusal;
use crate::strimzi::resource::{Resource, View};

/// What Connect says about a connector.
pub(in crate::strimzi) struct ConnectorReport {
    /// The answer of `GET /connectors/NAME/status`.
    pub(in crate::strimzi) status: Value,
    /// The topics that it has written to.
    pub(in crate::strimzi) topics: Vec<String>,
    pub(in crate::strimzi) auto_restart: Option<AutoRestart>,
    /// What was asked for by annotation and failed.
    pub(in crate::strimzi) warnings: Vec<Refusal>,
}

/// Ready, unless the connector or a task has failed. Paused, stopped and unassigned are ready.
pub(in crate::strimzi) fn connector_reported(connector: &Resource, report: &ConnectorReport) -> Value {
    let failure = failure(&report.status);
    let mut conditions = vec![failure.map_or_else(|| condition("Ready", true), |failure| not_ready(&failure))];
    conditions.extend(report.warnings.iter().map(warning));
    let mut topics = report.topics.clone();
    topics.sort();
    let mut status = json!({
        "conditions": conditions,
        "connectorStatus": report.status,
        "observedGeneration": connector.generation(),
        "tasksMax": tasks_max(connector).unwrap_or_else(|| tasks(&report.status).count() as i64),
        "topics": topics,
    });
    if let Some(auto_restart) = &report.auto_restart {
        status["autoRestart"] = json!({
            "count": auto_restart.count,
            "lastRestartTimestamp": auto_restart.last.to_string(),
        });
    }
    status
}

/// What is wrong with the connector or its tasks, in Strimzi's words.
pub(in crate::strimzi) fn failure(status: &Value) -> Option<Refusal> {
    let is_failed = |work: &Value| work["state"] == "FAILED";
    if is_failed(&status["connector"]) {
        let message = "Connector has failed, see connectorStatus for more details.";
        return Some(Refusal::new("Throwable", message));
    }
    let failed: Vec<String> = tasks(status).filter(|task| is_failed(task)).map(|task| task["id"].to_string()).collect();
    let message =
        format!("The following tasks have failed: {}, see connectorStatus for more details.", failed.join(", "));
    (!failed.is_empty()).then(|| Refusal::new("Throwable", message))
}

fn tasks(status: &Value) -> impl Iterator<Item = &Value> {
    status["tasks"].as_array().into_iter().flatten()
}

fn tasks_max(connector: &Resource) -> Option<i64> {
    connector.at("/spec/tasksMax").as_i64()
}

/// All that was known of the connector goes, even if it goes on running.
pub(in crate::strimzi) fn connector_failed(connector: &Resource, refusal: &Refusal) -> Value {
    // A connector whose Connect is not there is described before its specification is read.
    let is_homeless =
        refusal.message.starts_with("Resource lacks label") || refusal.message.contains("does not exist in");
    json!({
        "conditions": [not_ready(refusal)],
        "observedGeneration": connector.generation(),
        "tasksMax": if is_homeless { 0 } else { tasks_max(connector).unwrap_or(0) },
    })
}

pub(in crate::strimzi) fn connector_paused(connector: &Resource) -> Value {
    json!({
        "conditions": [condition("ReconciliationPaused", true)],
        "observedGeneration": connector.observed_generation(),
        "tasksMax": 0,
    })
}
