//! What is said about a resource: its conditions, its summary, and the events of what changed. All of it is pure.

mod caught_up;
mod conditions;
mod events;
mod live;
mod parts;
mod reported;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use tributary_crds::{CdcReplication, CdcReplicationStatus, TablePhase};

pub use caught_up::{caught_up, longest_lag};
pub use conditions::{CONDITIONS, Said};
pub use events::{Notice, notices};
pub use live::{connector, kafka, replicator};
pub use parts::{Part, Standing, worst};
pub use reported::since_start;

use crate::metrics::ObjectState;

/// What was found out about the parts of one resource.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The source database.
    pub source: Part,
    /// Kafka and its topics.
    pub kafka: Part,
    /// Kafka Connect and the connector.
    pub connector: Part,
    /// The replicator's pods.
    pub replicator: Part,
    /// Whether the Delta tables equal their sources.
    pub caught_up: Part,
}

impl Parts {
    /// The same for all of them.
    pub fn all(part: &Part) -> Self {
        let part = || part.clone();
        Self { source: part(), kafka: part(), connector: part(), replicator: part(), caught_up: part() }
    }
}

/// What all of it comes to. What stops the whole resource, such as a spec that cannot be used, comes first.
pub fn ready(resource: &CdcReplication, parts: &Parts, problem: Option<&Part>) -> Part {
    if let Some(problem) = problem {
        return problem.clone();
    }
    if resource.spec.suspend {
        return Part::resting("Suspended", "spec.suspend is true: nothing is read and nothing is written");
    }
    let parts = [&parts.source, &parts.kafka, &parts.connector, &parts.replicator];
    match worst(parts).or_else(|| stopped(resource)) {
        Some(part) => part,
        None => {
            Part::good("Replicating", "source, Kafka, connector and replicator work; CaughtUp says how far they are")
        }
    }
}

/// The tables that have stopped, if any have.
fn stopped(resource: &CdcReplication) -> Option<Part> {
    let status = resource.status.as_ref()?;
    let of_spec = |name: &str| resource.spec.tables.iter().any(|table| table.name == name);
    let stopped: Vec<String> = status
        .tables
        .iter()
        .filter(|table| table.phase == TablePhase::Stopped && of_spec(&table.name))
        .map(|table| format!("{}: {}", table.name, table.message.as_deref().unwrap_or("it has stopped")))
        .collect();
    let message =
        || format!("{} of {} tables have stopped: {}", stopped.len(), resource.spec.tables.len(), stopped.join("; "));
    (!stopped.is_empty()).then(|| Part::bad("TableStopped", message()))
}

/// The status that follows, without the tables: those belong to the replicator. `earlier` are names of tables that the resource
/// had before.
pub fn status(
    resource: &CdcReplication,
    said: &Said,
    earlier: &BTreeSet<String>,
    now: Timestamp,
) -> CdcReplicationStatus {
    let generation = resource.metadata.generation;
    let tables = resource.status.as_ref().map(|status| status.tables.as_slice()).unwrap_or_default();
    let of_spec = || tables.iter().filter(|status| resource.spec.tables.iter().any(|table| table.name == status.name));
    let streaming = of_spec().filter(|table| table.phase == TablePhase::Streaming).count();
    CdcReplicationStatus {
        observed_generation: generation,
        conditions: said.conditions(generation, now),
        tables_ready: Some(format!("{streaming}/{}", resource.spec.tables.len())),
        lag_seconds: of_spec().filter_map(|table| table.lag_seconds).max(),
        former_tables: former_tables(resource, earlier),
        tables: Vec::new(),
    }
}

/// The tables that the resource had at some time and has no more.
fn former_tables(resource: &CdcReplication, earlier: &BTreeSet<String>) -> Vec<String> {
    let before = resource.status.iter();
    let had =
        before.flat_map(|status| status.former_tables.iter().chain(status.tables.iter().map(|table| &table.name)));
    let had = had.chain(earlier);
    let is_listed = |name: &String| resource.spec.tables.iter().any(|table| table.name == *name);
    let former: BTreeSet<&String> = had.filter(|name| !is_listed(name)).collect();
    former.into_iter().cloned().collect()
}

/// The status while the operator leaves the resource alone: what it said before, and that it does.
pub fn paused(resource: &CdcReplication, said: &Said, now: Timestamp) -> CdcReplicationStatus {
    let mut status = resource.status.clone().unwrap_or_default();
    status.conditions = said.conditions(resource.metadata.generation, now);
    status.tables.clear();
    status
}

/// The part of a status that is ours, as it is applied. Leaving the tables out leaves them to their owners.
pub fn applied(resource: &CdcReplication, status: &CdcReplicationStatus) -> Value {
    use kube::Resource;
    let mut ours = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = ours.as_object_mut() {
        fields.remove("tables");
    }
    json!({
        "apiVersion": CdcReplication::api_version(&()),
        "kind": CdcReplication::kind(&()),
        "metadata": {"name": resource.metadata.name},
        "status": ours,
    })
}

/// Whether the status that the resource has differs from ours, the tables aside.
pub fn differs(resource: &CdcReplication, status: &CdcReplicationStatus) -> bool {
    let mut live = resource.status.clone().unwrap_or_default();
    live.tables.clear();
    live != *status
}

/// How the resource is counted.
pub fn state(resource: &CdcReplication, ready: &Part) -> ObjectState {
    match ready.standing {
        _ if resource.metadata.deletion_timestamp.is_some() => ObjectState::Deleting,
        Standing::Good => ObjectState::Ready,
        Standing::Bad => ObjectState::Failed,
        Standing::Resting => ObjectState::Suspended,
        Standing::Working | Standing::Unknown => ObjectState::Progressing,
    }
}
