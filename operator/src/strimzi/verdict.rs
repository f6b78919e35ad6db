//! What an object of Strimzi's says about itself, from the object as it is. Pure.
//!
//! The rules were read from statuses of Strimzi 1.2.0, which are in `recorded/`.

mod connector;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use connector::{kafka_connector, traces};

/// The connector that a Kafka Connect must have.
const PLUGIN: &str = "io.debezium.connector.postgresql.PostgresConnector";

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as its spec says.
    Ready,
    /// It comes by itself.
    Progressing,
    /// It needs somebody.
    Failed,
    /// Strimzi was told to leave it alone, or the connector to wait.
    Paused,
    /// The connector was told to stop, and has.
    Stopped,
}

/// How an object stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it stands.
    pub state: State,
    /// One word in `PascalCase`.
    pub reason: String,
    /// What, and what to do.
    pub message: String,
}

impl Verdict {
    fn new(state: State, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { state, reason: reason.into(), message: message.into() }
    }
}

/// The verdict on a live object, by its kind. `None` for a kind that says nothing of the sort: for a `KafkaNodePool`
/// its `Kafka` speaks.
pub fn of(live: &Value) -> Option<Verdict> {
    match live["kind"].as_str()? {
        "Kafka" => Some(kafka(live)),
        "KafkaConnect" => Some(kafka_connect(live)),
        "KafkaConnector" => Some(kafka_connector(live)),
        "KafkaTopic" => Some(kafka_topic(live)),
        "KafkaUser" => Some(kafka_user(live)),
        _ => None,
    }
}

/// The verdict on a `Kafka`, its nodes and its operators of topics and users.
pub fn kafka(live: &Value) -> Verdict {
    settled(live).unwrap_or_else(|| ready(live))
}

/// The verdict on a `KafkaUser`.
pub fn kafka_user(live: &Value) -> Verdict {
    settled(live).unwrap_or_else(|| ready(live))
}

/// The verdict on a `KafkaTopic`.
pub fn kafka_topic(live: &Value) -> Verdict {
    settled(live).unwrap_or_else(|| ready(live))
}

/// The verdict on a `KafkaConnect`: it must also be fit to run our connector, since it may be somebody else's.
pub fn kafka_connect(live: &Value) -> Verdict {
    let name = name(live);
    if let Some(verdict) = settled(live) {
        return verdict;
    }
    if live["metadata"]["annotations"]["strimzi.io/use-connector-resources"] != "true" {
        let message = format!(
            "KafkaConnect {name} does not take connectors from resources: annotate it with \
             strimzi.io/use-connector-resources=\"true\" (Strimzi then deletes those that were made in another way)"
        );
        return Verdict::new(State::Failed, "ConnectorResourcesOff", message);
    }
    if live["spec"]["replicas"] == 0 {
        return Verdict::new(State::Failed, "NoWorkers", format!("KafkaConnect {name} has 0 replicas: give it one"));
    }
    let plugins = live["status"]["connectorPlugins"].as_array();
    if plugins.is_some_and(|plugins| plugins.iter().all(|plugin| plugin["class"] != PLUGIN)) {
        let message = format!("the image of KafkaConnect {name} does not have {PLUGIN}: use one that has");
        return Verdict::new(State::Failed, "PluginMissing", message);
    }
    ready(live)
}

/// What holds for all kinds: everything but that the object is ready.
fn settled(live: &Value) -> Option<Verdict> {
    let (kind, name) = (live["kind"].as_str().unwrap_or_default(), name(live));
    if !live["metadata"]["deletionTimestamp"].is_null() {
        return Some(Verdict::new(State::Progressing, "Deleting", format!("{kind} {name} is being deleted")));
    }
    if condition(live, "ReconciliationPaused", "True").is_some() {
        let message = format!("{kind} {name} has the annotation strimzi.io/pause-reconciliation: remove it");
        return Some(Verdict::new(State::Paused, "ReconciliationPaused", message));
    }
    if condition(live, "Unmanaged", "True").is_some() {
        let message = format!("{kind} {name} has the annotation strimzi.io/managed=\"false\": remove it");
        return Some(Verdict::new(State::Paused, "Unmanaged", message));
    }
    // The cluster operator says NotReady=True, the topic operator Ready=False.
    let failure = condition(live, "NotReady", "True").or_else(|| condition(live, "Ready", "False"));
    if failure.is_some_and(|failure| failure["reason"] == "Creating") {
        return Some(Verdict::new(State::Progressing, "Creating", format!("Strimzi is making {kind} {name}")));
    }
    if conditions(live).next().is_none() {
        let message = format!(
            "Strimzi has not said anything about {kind} {name} yet; if it stays so, its operator does not run, or does \
             not watch this namespace"
        );
        return Some(Verdict::new(State::Progressing, "NotObserved", message));
    }
    // While the pods roll, the old conditions stay; the generation is older.
    if live["status"]["observedGeneration"] != live["metadata"]["generation"] {
        return Some(Verdict::new(State::Progressing, "Updating", format!("Strimzi is changing {kind} {name}")));
    }
    failure.map(|failure| failed(kind, name, failure))
}

/// Strimzi's reason is the name of a Java exception, and often only of the outermost.
fn failed(kind: &str, name: &str, condition: &Value) -> Verdict {
    let reason = condition["reason"].as_str().unwrap_or("Failed");
    let message = condition["message"].as_str().unwrap_or_default();
    let (reason, message) = unwrapped(reason, message);
    Verdict::new(State::Failed, reason, format!("{kind} {name}: {message}"))
}

/// `java.util.CompletionException: a.b.ConnectRestException: text` is a `ConnectRestException` that says `text`.
fn unwrapped<'a>(reason: &'a str, message: &'a str) -> (&'a str, &'a str) {
    let (mut reason, mut message) = (reason, message);
    while let Some((class, rest)) = message.split_once(": ") {
        let is_class = class.contains('.') && class.ends_with("Exception") && !class.contains([' ', '/']);
        if !is_class {
            break;
        }
        reason = class.rsplit('.').next().unwrap_or(reason);
        message = rest;
    }
    (reason, message)
}

fn ready(live: &Value) -> Verdict {
    let (kind, name) = (live["kind"].as_str().unwrap_or_default(), name(live));
    match condition(live, "Ready", "True") {
        Some(_) => Verdict::new(State::Ready, "Ready", format!("{kind} {name} is ready")),
        None => Verdict::new(State::Progressing, "NotReady", format!("{kind} {name} is not ready yet")),
    }
}

fn name(live: &Value) -> &str {
    live["metadata"]["name"].as_str().unwrap_or_default()
}

fn conditions(live: &Value) -> impl Iterator<Item = &Value> {
    live["status"]["conditions"].as_array().into_iter().flatten()
}

fn condition<'a>(live: &'a Value, type_: &str, status: &str) -> Option<&'a Value> {
    conditions(live).find(|condition| condition["type"] == *type_ && condition["status"] == *status)
}
