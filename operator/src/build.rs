//! Desired objects, one file per kind. Everything here is pure: the same plan, the same bytes.

pub mod connector;

mod connect;
mod kafka;
mod kinds;
mod monitoring;
mod replicator;
mod secrets_role;
mod topics;
mod users;

#[cfg(test)]
mod golden;

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Service, ServiceAccount},
    policy::v1::PodDisruptionBudget,
    rbac::v1::{Role, RoleBinding},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

pub use kinds::{KINDS, Kind};

use crate::plan::Plan;
use crate::strimzi::{
    Resource, connect::KafkaConnectSpec, connector::KafkaConnectorSpec, kafka::KafkaNodePoolSpec, kafka::KafkaSpec,
    topic::KafkaTopicSpec, user::KafkaUserSpec,
};

/// Who we are: field manager, `app.kubernetes.io/managed-by`, name of the Deployment.
pub const MANAGER: &str = "tributary-operator";

/// Where a replicator's `ConfigMap` has the resource.
pub const DOCUMENT_POINTER: &str = "/data/replication.yaml";

/// Annotation of pods that changes with the Secrets that they read.
const SECRETS_VERSION: &str = "tributary.dev/secrets-version";

/// The children of a resource at a stage: [`Built`], as they should be; or, once applied, as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Children<Stage>(pub Stage);

/// Children as they should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    service_account: ServiceAccount,
    roles: Vec<Role>,
    role_bindings: Vec<RoleBinding>,
    kafka_node_pool: Option<Resource<KafkaNodePoolSpec>>,
    kafka: Option<Resource<KafkaSpec>>,
    kafka_user: Option<Resource<KafkaUserSpec>>,
    kafka_topics: Vec<Resource<KafkaTopicSpec>>,
    kafka_connect: Option<Resource<KafkaConnectSpec>>,
    kafka_connector: Resource<KafkaConnectorSpec>,
    config_map: ConfigMap,
    service: Service,
    pod_disruption_budget: PodDisruptionBudget,
    stateful_set: StatefulSet,
    pod_monitor: Option<monitoring::PodMonitor>,
}

/// One desired object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// All of it that we want.
    pub manifest: Value,
}

/// The children that a plan wants.
pub fn children(plan: &Plan) -> Children<Built> {
    let (secrets_role, secrets_binding) = secrets_role::role(plan);
    let (status_role, status_binding) = replicator::role(plan);
    let config_map = replicator::config_map(plan);
    Children(Built {
        service_account: replicator::service_account(plan),
        roles: vec![secrets_role, status_role],
        role_bindings: vec![secrets_binding, status_binding],
        kafka_node_pool: kafka::node_pool(plan),
        kafka: kafka::cluster(plan),
        kafka_user: users::user(plan),
        kafka_topics: topics::topics(plan),
        kafka_connect: connect::cluster(plan),
        kafka_connector: connector::resource(plan),
        service: replicator::service(plan),
        pod_disruption_budget: replicator::pod_disruption_budget(plan),
        stateful_set: replicator::stateful_set(plan, &config_map),
        config_map,
        pod_monitor: monitoring::pod_monitor(plan),
    })
}

impl Children<Built> {
    /// The objects in the order in which they are applied; [`KINDS`] says why in this one.
    pub fn objects(&self) -> Vec<Object> {
        // Without `..`: a new child does not compile until it is applied.
        let Built {
            service_account,
            roles,
            role_bindings,
            kafka_node_pool,
            kafka,
            kafka_user,
            kafka_topics,
            kafka_connect,
            kafka_connector,
            config_map,
            service,
            pod_disruption_budget,
            stateful_set,
            pod_monitor,
        } = &self.0;
        let mut objects = vec![object(&kinds::SERVICE_ACCOUNT, service_account)];
        objects.extend(roles.iter().map(|role| object(&kinds::ROLE, role)));
        objects.extend(role_bindings.iter().map(|binding| object(&kinds::ROLE_BINDING, binding)));
        objects.extend(kafka_node_pool.iter().map(|pool| object(&kinds::KAFKA_NODE_POOL, pool)));
        objects.extend(kafka.iter().map(|kafka| object(&kinds::KAFKA, kafka)));
        objects.extend(kafka_user.iter().map(|user| object(&kinds::KAFKA_USER, user)));
        objects.extend(kafka_topics.iter().map(|topic| object(&kinds::KAFKA_TOPIC, topic)));
        objects.extend(kafka_connect.iter().map(|connect| object(&kinds::KAFKA_CONNECT, connect)));
        objects.push(object(&kinds::KAFKA_CONNECTOR, kafka_connector));
        objects.push(object(&kinds::CONFIG_MAP, config_map));
        objects.push(object(&kinds::SERVICE, service));
        objects.push(object(&kinds::POD_DISRUPTION_BUDGET, pod_disruption_budget));
        objects.push(object(&kinds::STATEFUL_SET, stateful_set));
        objects.extend(pod_monitor.iter().map(|monitor| object(&kinds::POD_MONITOR, monitor)));
        objects
    }
}

/// Serializing these types cannot fail: all their keys are text.
fn object(kind: &'static Kind, typed: &impl Serialize) -> Object {
    let manifest = serde_json::to_value(typed).unwrap_or_default();
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Object { kind, name, manifest }
}

/// What a child belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component {
    Kafka,
    Connect,
    Replicator,
}

/// The labels by which the children of a resource are found.
pub fn labels(instance: &str) -> BTreeMap<String, String> {
    let labels = [
        ("app.kubernetes.io/name", "tributary"),
        ("app.kubernetes.io/instance", instance),
        ("app.kubernetes.io/managed-by", MANAGER),
    ];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl Component {
    const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Connect => "connect",
            Self::Replicator => "replicator",
        }
    }

    fn labels(self, plan: &Plan) -> BTreeMap<String, String> {
        let mut labels = labels(&plan.name);
        labels.insert("app.kubernetes.io/component".to_owned(), self.name().to_owned());
        labels
    }

    /// Metadata of a child that goes with the resource.
    fn owned(self, plan: &Plan, name: String) -> ObjectMeta {
        ObjectMeta { owner_references: Some(vec![plan.owner.clone()]), ..self.kept(plan, name) }
    }

    /// Metadata of a child that stays when the resource goes: whether it does is `deletionPolicy`'s to say.
    fn kept(self, plan: &Plan, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(plan.namespace.clone()),
            labels: Some(self.labels(plan)),
            ..ObjectMeta::default()
        }
    }
}

/// The same, with the label by which Strimzi knows whose it is.
fn of_cluster(mut metadata: ObjectMeta, cluster: &str) -> ObjectMeta {
    let labels = metadata.labels.get_or_insert_default();
    labels.insert(crate::strimzi::CLUSTER.to_owned(), cluster.to_owned());
    metadata
}
