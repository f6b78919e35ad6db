//! `KafkaConnector`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Spec;

/// A connector in a Kafka Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectorSpec {
    /// Its Java class.
    pub class: String,
    /// Number of tasks.
    pub tasks_max: i32,
    /// What it should be doing.
    pub state: State,
    /// Whether a failed task is started again.
    pub auto_restart: AutoRestart,
    /// Its settings, without those that have a field of their own.
    pub config: BTreeMap<String, String>,
}

impl Spec for KafkaConnectorSpec {
    const KIND: &'static str = "KafkaConnector";
}

/// What a connector should be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Running,
    /// It has no tasks, and so no connection to anything.
    Stopped,
}

/// Whether a failed task is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoRestart {
    /// It is, after waits that grow to an hour.
    pub enabled: bool,
}
