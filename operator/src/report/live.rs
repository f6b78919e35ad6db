//! How Kafka and the connector stand, by the live objects and what Strimzi says about them.

use serde_json::Value;
use tributary_crds::CdcReplication;

use super::{Part, Standing, worst};
use crate::apply::Live;
use crate::strimzi::verdict::{self, State, Verdict};

impl From<Verdict> for Part {
    fn from(verdict: Verdict) -> Self {
        let Verdict { state, reason, message } = verdict;
        let standing = match state {
            State::Ready => Standing::Good,
            State::Progressing => Standing::Working,
            State::Failed => Standing::Bad,
            State::Paused | State::Stopped => Standing::Resting,
        };
        Self { standing, reason, message }
    }
}

fn of_kind<'a>(live: &'a [Live], kind: &str) -> impl Iterator<Item = &'a Value> {
    live.iter().filter(move |live| live.kind.kind == kind).map(|live| &live.object)
}

/// Kafka, its topics and its users.
pub fn kafka(resource: &CdcReplication, live: &[Live]) -> Part {
    if let Some(external) = &resource.spec.kafka.external {
        let message = format!(
            "{} is not looked after by the operator: connector and replicator say what they meet",
            external.bootstrap_servers
        );
        return Part::good("External", message);
    }
    let Some(cluster) = of_kind(live, "Kafka").next() else {
        return Part::working("Creating", "the Kafka resource does not exist yet");
    };
    let cluster = Part::from(verdict::kafka(cluster));
    if cluster.standing != Standing::Good {
        return cluster;
    }
    let topics = of_kind(live, "KafkaTopic").filter(|topic| is_wanted(topic));
    let rest: Vec<Part> = topics.chain(of_kind(live, "KafkaUser")).filter_map(verdict::of).map(Part::from).collect();
    worst(&rest).unwrap_or(cluster)
}

/// Topics of tables that were removed are kept, and nobody waits for them.
fn is_wanted(topic: &Value) -> bool {
    topic.pointer("/metadata/deletionTimestamp").is_none()
}

/// Kafka Connect, if it is ours, and the connector.
pub fn connector(resource: &CdcReplication, live: &[Live]) -> Part {
    let connector = of_kind(live, "KafkaConnector").next().map(|live| Part::from(verdict::kafka_connector(live)));
    if let Some(failed) = connector.clone().filter(|part| part.standing == Standing::Bad) {
        return failed;
    }
    let shared = resource.spec.connect.cluster_name.is_some();
    match of_kind(live, "KafkaConnect").next().map(|live| Part::from(verdict::kafka_connect(live))) {
        None if !shared => return Part::working("Creating", "the KafkaConnect resource does not exist yet"),
        // A connector's status is stale while its cluster is not ready.
        Some(cluster) if cluster.standing != Standing::Good => return cluster,
        _ => {}
    }
    connector.unwrap_or_else(|| Part::working("Creating", "the KafkaConnector resource does not exist yet"))
}

/// The replicator's `StatefulSet` and pods.
pub fn replicator(resource: &CdcReplication, live: &[Live]) -> Part {
    if resource.spec.suspend {
        return Part::resting("Suspended", "the replicator has no pods while spec.suspend is true");
    }
    let pods: Vec<Value> = of_kind(live, "Pod").cloned().collect();
    super::parts::replicator(of_kind(live, "StatefulSet").next(), &pods)
}
