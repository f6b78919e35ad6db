//! What a Kafka resource and its pools ask for, or why Strimzi refuses it.

use serde_json::Value;

use super::configuration::{KAFKA, Settings};
use super::listeners::Listener;
use super::refusal::Refusal;
use super::resource::{Resource, View};

/// The versions that Strimzi 1.2.0 knows. All of them are played by one: that of the stack.
const VERSIONS: [&str; 4] = ["4.2.0", "4.2.1", "4.3.0", "4.3.1"];
const DEFAULT_VERSION: &str = "4.3.1";

/// A Kafka cluster as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) version: String,
    pub(super) metadata_version: String,
    pub(super) listeners: Vec<Listener>,
    /// The resource's own settings, without Strimzi's.
    pub(super) settings: Settings,
    pub(super) pools: Vec<Pool>,
    /// Whether access rules count (`authorization: simple`).
    pub(super) is_authorized: bool,
}

/// One node pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) roles: Vec<String>,
    pub(super) broker: bool,
    pub(super) controller: bool,
    pub(super) replicas: usize,
    pub(super) node_ids: Vec<usize>,
    pub(super) is_ephemeral: bool,
}

impl Layout {
    /// Brokers of all pools.
    pub(super) fn brokers(&self) -> usize {
        self.pools.iter().filter(|pool| pool.broker).map(|pool| pool.replicas).sum()
    }

    pub(super) fn has_tls(&self) -> bool {
        self.listeners.iter().any(|listener| listener.tls)
    }

    /// What the resource asks for. `pools` are those with its label.
    pub(super) fn of(kafka: &Resource, pools: &[&Resource]) -> Result<Self, Refusal> {
        let name = kafka.key().1;
        if pools.is_empty() {
            let message = format!("No KafkaNodePools found for Kafka cluster {name}");
            return Err(Refusal::new("InvalidConfigurationException", message));
        }
        let version = kafka.text("/spec/kafka/version").unwrap_or(DEFAULT_VERSION);
        is_known(version)?;
        let layout = Self {
            version: version.to_owned(),
            metadata_version: kafka
                .text("/spec/kafka/metadataVersion")
                .map_or_else(|| metadata_version(version), str::to_owned),
            listeners: Listener::all(kafka.at("/spec/kafka")),
            settings: KAFKA.settings(kafka.at("/spec/kafka/config"))?,
            pools: numbered(pools),
            is_authorized: kafka.text("/spec/kafka/authorization/type") == Some("simple"),
        };
        layout.check_roles(&name)?;
        layout.check_replication()?;
        Ok(layout)
    }

    fn check_roles(&self, name: &str) -> Result<(), Refusal> {
        let lacks = |has: fn(&Pool) -> bool| !self.pools.iter().any(|pool| has(pool) && pool.replicas > 0);
        let mut wrong = Vec::new();
        let pool_with = |role: &str| {
            format!("At least one KafkaNodePool with the {role} role and at least one replica is required")
        };
        if lacks(|pool| pool.controller) {
            wrong.push(format!("{} when KRaft mode is enabled", pool_with("controller")));
        }
        if lacks(|pool| pool.broker) {
            wrong.push(pool_with("broker"));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!("The Kafka cluster {name} is invalid: [{}]", wrong.join(", "));
        Err(Refusal::new("InvalidResourceException", message))
    }

    /// Only what is set is looked at: Kafka's own defaults of 3 are the user's to avoid.
    fn check_replication(&self) -> Result<(), Refusal> {
        let brokers = self.brokers();
        for name in REPLICATION {
            let asked = self.settings.get(name).and_then(|value| value.parse::<usize>().ok());
            if asked.is_some_and(|asked| asked > brokers) {
                let message = format!(
                    "Kafka configuration option '{name}' should be set to {brokers} because this cluster has only \
                     {brokers} Kafka broker(s)."
                );
                return Err(Refusal::new("InvalidResourceException", message));
            }
        }
        Ok(())
    }
}

const REPLICATION: [&str; 4] = [
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
];

fn is_known(version: &str) -> Result<(), Refusal> {
    if VERSIONS.contains(&version) {
        return Ok(());
    }
    let message =
        format!("Unsupported Kafka.spec.kafka.version: {version}. Supported versions are: [{}]", VERSIONS.join(", "));
    Err(Refusal::new("UnsupportedKafkaVersionException", message))
}

/// Refuses a `KafkaConnect` of a version that Strimzi does not know, in the words that it has for those.
pub(super) fn check_connect_version(version: Option<&str>) -> Result<(), Refusal> {
    match version {
        Some(version) if !VERSIONS.contains(&version) => Err(Refusal::new(
            "InvalidResourceException",
            format!("Kafka version {version} is not supported. Supported versions are: {}.", VERSIONS.join(", ")),
        )),
        _ => Ok(()),
    }
}

fn metadata_version(version: &str) -> String {
    if version.starts_with("4.2") { "4.2-IV1".to_owned() } else { "4.3-IV0".to_owned() }
}

/// The pools by name, their nodes numbered through.
fn numbered(pools: &[&Resource]) -> Vec<Pool> {
    let mut sorted = pools.to_vec();
    sorted.sort_by_key(|pool| pool.key());
    let mut next = 0;
    let mut pool = |resource: &Resource| {
        let roles: Vec<String> = texts(resource.at("/spec/roles"));
        let replicas = resource.at("/spec/replicas").as_u64().unwrap_or(0) as usize;
        let node_ids = (next..next + replicas).collect();
        next += replicas;
        Pool {
            name: resource.key().1,
            broker: roles.iter().any(|role| role == "broker"),
            controller: roles.iter().any(|role| role == "controller"),
            roles,
            replicas,
            node_ids,
            is_ephemeral: is_ephemeral(resource.at("/spec/storage")),
        }
    };
    sorted.into_iter().map(&mut pool).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn is_ephemeral(storage: &Value) -> bool {
    let volumes = storage["volumes"].as_array();
    storage["type"] == "ephemeral"
        || volumes.is_some_and(|volumes| volumes.iter().any(|volume| volume["type"] == "ephemeral"))
}
