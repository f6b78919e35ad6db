//! What a `KafkaTopic` asks for, compared with the topic in Kafka: what to do, or why it cannot be.

use serde_json::Value;

use super::configuration::{Reserved, Settings};
use super::refusal::Refusal;
use super::resource::{Resource, View};

/// The finalizer that keeps a `KafkaTopic` until its topic is gone.
pub(super) const FINALIZER: &str = "strimzi.io/topic-operator";

/// A topic as Kafka has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) partitions: i32,
    pub(super) replicas: i32,
    /// Only what was set for this topic.
    pub(super) settings: Settings,
}

/// What is to be done so that Kafka has the topic as the resource says. None of it is set when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// -1 stands for the broker's default.
    pub(super) create: Option<(i32, i32)>,
    /// The new number of partitions.
    pub(super) partitions: Option<i32>,
    /// All settings of the topic: those that are not named return to their defaults.
    pub(super) settings: Option<Settings>,
}

/// The settings of a topic that sets none.
pub(super) static NO_SETTINGS: Settings = Settings::new();

/// What a topic may have in `config`: everything.
const ANY: Reserved = Reserved::nothing();

/// The topic's name in Kafka, if the resource has its way.
pub(super) fn desired_name(topic: &Resource) -> String {
    topic.text("/spec/topicName").map_or_else(|| topic.key().1, str::to_owned)
}

/// The topic's name in Kafka: it never changes once a status has it.
pub(super) fn name(topic: &Resource) -> String {
    topic.text("/status/topicName").map_or_else(|| desired_name(topic), str::to_owned)
}

pub(super) fn is_managed(topic: &Resource) -> bool {
    use kube::ResourceExt;
    topic.annotations().get("strimzi.io/managed").is_none_or(|value| value != "false")
}

pub(super) fn has_finalizer(topic: &Resource) -> bool {
    topic.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// What is wrong with the resource whatever Kafka has. `others` are the topics of the same cluster.
pub(super) fn check<'a>(topic: &'a Resource, others: impl IntoIterator<Item = &'a Resource>) -> Result<(), Refusal> {
    let name = name(topic);
    if desired_name(topic) != name {
        return Err(Refusal::new("NotSupported", "Changing spec.topicName is not supported"));
    }
    let rivals = others.into_iter().filter(|other| is_managed(other) && self::name(other) == name);
    let first = rivals.chain([topic]).min_by_key(|rival| seniority(rival));
    match first {
        Some(first) if first.key() != topic.key() => {
            let (namespace, name) = first.key();
            let message = format!("Managed by Ref{{namespace='{namespace}', name='{name}'}}");
            Err(Refusal::new("ResourceConflict", message))
        }
        _ => Ok(()),
    }
}

/// Who came first. A finalizer says that the topic was taken care of already.
fn seniority(topic: &Resource) -> (bool, Option<k8s_openapi::jiff::Timestamp>, String) {
    let created = topic.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (!has_finalizer(topic), created, topic.key().1)
}

/// What to do with the topic that Kafka has, or has not.
pub(super) fn changes(topic: &Resource, observed: Option<&Observed>) -> Result<Changes, Refusal> {
    let settings = ANY.settings(topic.at("/spec/config"))?;
    let number = |pointer: &str| topic.at(pointer).as_i64().and_then(|number| i32::try_from(number).ok());
    let (partitions, replicas) = (number("/spec/partitions"), number("/spec/replicas"));
    let Some(observed) = observed else {
        let create = Some((partitions.unwrap_or(-1), replicas.unwrap_or(-1)));
        return Ok(Changes { create, partitions: None, settings: Some(settings) });
    };
    if partitions.is_some_and(|partitions| partitions < observed.partitions) {
        return Err(Refusal::new("NotSupported", "Decreasing partitions not supported"));
    }
    if replicas.is_some_and(|replicas| replicas != observed.replicas) {
        let numbers: Vec<String> = (0..observed.partitions).map(|number| number.to_string()).collect();
        let message =
            format!("Replication factor change not supported, but required for partitions [{}]", numbers.join(", "));
        return Err(Refusal::new("NotSupported", message));
    }
    Ok(Changes {
        create: None,
        partitions: partitions.filter(|&partitions| partitions > observed.partitions),
        settings: (settings != observed.settings).then_some(settings),
    })
}

/// Whether a topic's resource is on its way out.
pub(super) fn is_deleted(topic: &Resource) -> bool {
    topic.metadata.deletion_timestamp.is_some()
}

/// The finalizers that stay once the topic is gone.
pub(super) fn other_finalizers(topic: &Resource) -> Vec<Value> {
    let all = topic.metadata.finalizers.iter().flatten();
    all.filter(|finalizer| *finalizer != FINALIZER).map(|finalizer| finalizer.as_str().into()).collect()
}
