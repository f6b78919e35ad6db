//! The Prometheus operator's `PodMonitor` for the replicator's pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;

use super::{Component, replicator};
use crate::plan::Plan;

/// Tells Prometheus which pods to scrape.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodMonitor {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    spec: PodMonitorSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodMonitorSpec {
    selector: LabelSelector,
    pod_metrics_endpoints: [Endpoint; 1],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Endpoint {
    port: &'static str,
}

pub(super) fn pod_monitor(plan: &Plan) -> Option<PodMonitor> {
    plan.pod_monitor.then(|| PodMonitor {
        api_version: "monitoring.coreos.com/v1",
        kind: "PodMonitor",
        metadata: Component::Replicator.owned(plan, replicator::name(plan)),
        spec: PodMonitorSpec {
            selector: replicator::selector(plan),
            pod_metrics_endpoints: [Endpoint { port: replicator::HTTP }],
        },
    })
}
