//! Statuses of `KafkaTopic`: its operator says `Ready=False`, where the others say `NotReady=True`.

use serde_json::{Value, json};

use super::{condition, explained};
use crate::strimzi::refusal::Refusal;
use crate::strimzi::resource::{Resource, View};

pub(in crate::strimzi) fn topic_ready(topic: &Resource, name: &str, id: &str) -> Value {
    json!({
        "conditions": [condition("Ready", true)],
        "observedGeneration": topic.generation(),
        "topicId": id,
        "topicName": name,
    })
}

/// The topic keeps the name and the id that it has in Kafka, except that a change of the name drops the id.
pub(in crate::strimzi) fn topic_failed(topic: &Resource, name: &str, refusal: &Refusal) -> Value {
    let mut status = json!({
        "conditions": [explained("Ready", false, refusal.reason, &refusal.message)],
        "observedGeneration": topic.generation(),
        "topicName": name,
    });
    let is_renamed = topic.text("/spec/topicName").is_some_and(|new| new != name);
    if let (false, Some(id)) = (is_renamed, topic.text("/status/topicId")) {
        status["topicId"] = id.into();
    }
    status
}

pub(in crate::strimzi) fn topic_paused(topic: &Resource, name: &str) -> Value {
    json!({
        "conditions": [condition("ReconciliationPaused", true)],
        "observedGeneration": topic.generation(),
        "topicName": name,
    })
}

pub(in crate::strimzi) fn topic_unmanaged(topic: &Resource) -> Value {
    json!({"conditions": [condition("Unmanaged", true)], "observedGeneration": topic.generation()})
}
