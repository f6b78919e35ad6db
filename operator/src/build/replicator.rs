//! The replicator: its pods, and what they need to run, to be found and to report.

mod configuration;
mod pod;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::{
    apps::v1::{StatefulSet, StatefulSetSpec},
    core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec},
    policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    rbac::v1::{PolicyRule, Role, RoleBinding},
};
use k8s_openapi::apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString};

use super::{Component, secrets_role};
use crate::plan::Plan;

pub(super) use configuration::config_map;

/// Name of the port of metrics and probes.
pub(super) const HTTP: &str = "http";

/// Name of all objects of the replicator.
pub(super) fn name(plan: &Plan) -> String {
    format!("{}-replicator", plan.name)
}

/// The pods of this resource's replicator, and nothing else.
pub(super) fn selector(plan: &Plan) -> LabelSelector {
    let labels = [
        ("app.kubernetes.io/name", "tributary"),
        ("app.kubernetes.io/instance", plan.name.as_str()),
        ("app.kubernetes.io/component", Component::Replicator.name()),
    ];
    let labels: BTreeMap<String, String> =
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// Who the pods are.
pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: Component::Replicator.owned(plan, name(plan)),
        // The pods ask for the token themselves; nobody else who uses the account gets one.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// What the pods may do: report the state of their tables, in this one resource.
pub(super) fn role(plan: &Plan) -> (Role, RoleBinding) {
    let rule = |resource: &str, verbs: &[&str]| PolicyRule {
        api_groups: Some(vec!["tributary.dev".to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        resource_names: Some(vec![plan.name.clone()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    };
    let rules = vec![rule("cdcreplications", &["get"]), rule("cdcreplications/status", &["get", "patch"])];
    let role = Role { metadata: Component::Replicator.owned(plan, name(plan)), rules: Some(rules) };
    let binding = secrets_role::binding(Component::Replicator, plan, &name(plan), &name(plan));
    (role, binding)
}

/// Gives each pod a name of its own in DNS.
pub(super) fn service(plan: &Plan) -> Service {
    let port = ServicePort {
        name: Some(HTTP.to_owned()),
        port: i32::from(plan.resource.spec.replicator.http_port),
        target_port: Some(IntOrString::String(HTTP.to_owned())),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        // A pod that is not ready has something to say about why.
        publish_not_ready_addresses: Some(true),
        selector: selector(plan).match_labels,
        ports: Some(vec![port]),
        ..ServiceSpec::default()
    };
    Service { metadata: Component::Replicator.owned(plan, name(plan)), spec: Some(spec), status: None }
}

/// A node may be emptied, one pod after the other.
pub(super) fn pod_disruption_budget(plan: &Plan) -> PodDisruptionBudget {
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(1)),
        selector: Some(selector(plan)),
        // A pod that does not work anyway must not keep its node.
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        ..PodDisruptionBudgetSpec::default()
    };
    PodDisruptionBudget { metadata: Component::Replicator.owned(plan, name(plan)), spec: Some(spec), status: None }
}

/// The pods: each has an ordinal, which says what share of the tables is its.
pub(super) fn stateful_set(plan: &Plan, configuration: &ConfigMap) -> StatefulSet {
    let spec = StatefulSetSpec {
        replicas: Some(plan.replicator.pods),
        // No pod waits for another: each has tables of its own.
        pod_management_policy: Some("Parallel".to_owned()),
        service_name: Some(name(plan)),
        selector: selector(plan),
        template: pod::template(plan, configuration),
        // A rollout is undone by undoing the change of the resource.
        revision_history_limit: Some(2),
        ..StatefulSetSpec::default()
    };
    StatefulSet { metadata: Component::Replicator.owned(plan, name(plan)), spec: Some(spec), status: None }
}
