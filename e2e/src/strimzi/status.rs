//! Statuses as Strimzi writes them: functions of a resource and of what was observed, without times.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::resource::{Resource, View};

pub(super) use connect::{ConnectObserved, connect_failed, connect_paused, connect_ready};
pub(super) use connector::{ConnectorReport, connector_failed, connector_paused, connector_reported, failure};
pub(super) use kafka::{KafkaObserved, kafka_creating, kafka_failed, kafka_paused, kafka_ready, pool};
pub(super) use topic::{topic_failed, topic_paused, topic_ready, topic_unmanaged};
pub(super) use user::{user_failed, user_ready};

mod connect;
mod connector;
mod kafka;
mod topic;
mod user;

#[cfg(test)]
mod tests;

/// One condition; its time is set when it is written.
fn condition(kind: &str, is: bool) -> Value {
    json!({"type": kind, "status": if is { "True" } else { "False" }})
}

fn explained(kind: &str, is: bool, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": if is { "True" } else { "False" }, "reason": reason, "message": message})
}

/// A condition that does not keep the resource from being ready.
pub(super) fn warning(refusal: &Refusal) -> Value {
    explained("Warning", true, refusal.reason, &refusal.message)
}

/// How the cluster operator and the user operator say that something failed.
fn not_ready(refusal: &Refusal) -> Value {
    explained("NotReady", true, refusal.reason, &refusal.message)
}

/// Whether a status says the same as the one that is there, its times aside: then it is not written.
pub(super) fn is_same(live: &Value, new: &Value) -> bool {
    without_times(live) == without_times(new)
}

fn without_times(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in conditions(&mut status) {
        condition.remove("lastTransitionTime");
    }
    status
}

fn conditions(status: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    conditions.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The status with the time of every condition set: Strimzi sets all of them at each write.
pub(super) fn timed(mut status: Value, now: Timestamp) -> Value {
    for condition in conditions(&mut status) {
        condition.insert("lastTransitionTime".to_owned(), now.to_string().into());
    }
    status
}

/// The fields of the status that is there, for those that a new status carries over.
fn carried(resource: &Resource, fields: &[&str]) -> Map<String, Value> {
    let status = resource.at("/status");
    let kept = fields.iter().filter_map(|&field| Some((field.to_owned(), status.get(field)?.clone())));
    kept.collect()
}

fn with(mut status: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        status.extend(more);
    }
    Value::Object(status)
}
