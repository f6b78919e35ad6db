//! The Kafka cluster: one pool of nodes that are brokers and controllers, and Strimzi's operators of topics and users.

use serde_json::{Value, json};
use tributary_crds::StrimziAuthentication;

use super::{Component, of_cluster};
use crate::plan::{OwnKafka, Plan, memory_resources};
use crate::strimzi::{
    Config, Resource,
    kafka::{
        Authentication, Cluster, Enabled, EntityOperator, KafkaNodePoolSpec, KafkaSpec, Listener, Storage, Volume,
    },
};

/// The cluster; it has the resource's name.
pub(super) fn cluster(plan: &Plan) -> Option<Resource<KafkaSpec>> {
    let kafka = plan.kafka.as_ref()?;
    let spec = KafkaSpec {
        kafka: Cluster {
            version: kafka.version.clone(),
            metadata_version: metadata_version(&kafka.version),
            listeners: vec![listener(kafka.authentication)],
            config: config(kafka),
        },
        entity_operator: EntityOperator {
            topic_operator: Enabled {},
            user_operator: kafka.has_user().then_some(Enabled {}),
        },
    };
    Some(Resource::new(Component::Kafka.kept(plan, plan.name.clone()), spec))
}

/// Its nodes.
pub(super) fn node_pool(plan: &Plan) -> Option<Resource<KafkaNodePoolSpec>> {
    let kafka = plan.kafka.as_ref()?;
    let metadata = of_cluster(Component::Kafka.kept(plan, kafka.pool.clone()), &plan.name);
    let volume = Volume {
        id: 0,
        type_: "persistent-claim",
        size: kafka.storage.to_string(),
        kraft_metadata: "shared",
        delete_claim: kafka.deletes_volumes,
    };
    let spec = KafkaNodePoolSpec {
        replicas: kafka.brokers,
        // One pool for both: a cluster for one pipeline is small, and three nodes do what six would.
        roles: ["controller", "broker"],
        // A list of volumes, so that Strimzi could take another one.
        storage: Storage { type_: "jbod", volumes: [volume] },
        // Strimzi gives half of the limit to the heap; the rest caches what the replicator is about to read.
        resources: memory_resources("250m", "1Gi", "2Gi"),
    };
    Some(Resource::new(metadata, spec))
}

/// Without it, an upgrade of Strimzi would raise the metadata's version, and no way would lead back.
fn metadata_version(version: &str) -> Option<&'static str> {
    match version.rsplit_once('.')?.0 {
        "4.2" => Some("4.2-IV1"),
        "4.3" => Some("4.3-IV0"),
        _ => None,
    }
}

fn listener(authentication: StrimziAuthentication) -> Listener {
    let type_ = match authentication {
        StrimziAuthentication::None => {
            return Listener { name: "plain", port: 9092, type_: "internal", tls: false, authentication: None };
        }
        StrimziAuthentication::ScramSha512 => "scram-sha-512",
        StrimziAuthentication::Tls => "tls",
    };
    // Who may log in may do everything: the cluster has no other users than the pipeline itself.
    Listener { name: "tls", port: 9093, type_: "internal", tls: true, authentication: Some(Authentication { type_ }) }
}

fn config(kafka: &OwnKafka) -> Config {
    // With three copies, two must have a record before it counts: one broker may be lost, and one more may restart.
    let in_sync = if kafka.replication >= 3 { 2 } else { 1 };
    let settings: [(&str, Value); 7] = [
        ("default.replication.factor", json!(kafka.replication)),
        ("min.insync.replicas", json!(in_sync)),
        // Kafka's own defaults are 3, and a cluster of one broker would never have these topics.
        ("offsets.topic.replication.factor", json!(kafka.replication)),
        ("transaction.state.log.replication.factor", json!(kafka.replication)),
        ("transaction.state.log.min.isr", json!(in_sync)),
        // A topic that somebody merely asks for would come with settings that nobody chose.
        ("auto.create.topics.enable", json!(false)),
        // A broker that lost track must not bring back an old state as the truth.
        ("unclean.leader.election.enable", json!(false)),
    ];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
