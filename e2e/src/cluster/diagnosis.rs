//! What one needs to see of a namespace when a test in it failed.

use std::fmt::Write;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, ResourceExt};
use tributary_crds::CdcReplication;

use super::{Objects, SYSTEM_NAMESPACE};

/// Lines of each log.
const TAIL: i64 = 40;

/// Statuses, events and the ends of the logs.
pub(super) async fn of(client: &Client, namespace: &str) -> String {
    let mut text = format!("==== what was in {namespace} ====\n");
    replications(client, namespace, &mut text).await;
    strimzi(client, namespace, &mut text).await;
    events(client, namespace, &mut text).await;
    logs(client, namespace, &mut text).await;
    logs(client, SYSTEM_NAMESPACE, &mut text).await;
    text
}

async fn replications(client: &Client, namespace: &str, text: &mut String) {
    let api: Api<CdcReplication> = Api::namespaced(client.clone(), namespace);
    for resource in api.list(&ListParams::default()).await.into_iter().flatten() {
        let status = serde_json::to_string_pretty(&resource.status).unwrap_or_default();
        let _ = writeln!(text, "-- CdcReplication {}: {status}", resource.name_any());
    }
}

async fn strimzi(client: &Client, namespace: &str, text: &mut String) {
    for kind in ["Kafka", "KafkaTopic", "KafkaConnect", "KafkaConnector"] {
        let objects = Objects::strimzi(client, namespace, kind);
        for name in objects.names().await.unwrap_or_default() {
            let object = objects.get(&name).await.ok().flatten().unwrap_or_default();
            let _ = writeln!(text, "-- {kind} {name}: {}", object["status"]);
        }
    }
}

async fn events(client: &Client, namespace: &str, text: &mut String) {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    for event in api.list(&ListParams::default()).await.into_iter().flatten() {
        let about = event.involved_object.name.unwrap_or_default();
        let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
        let _ = writeln!(text, "-- event {about}: {reason}: {message}");
    }
}

async fn logs(client: &Client, namespace: &str, text: &mut String) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    for pod in api.list(&ListParams::default()).await.into_iter().flatten() {
        let name = pod.name_any();
        let states = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        for state in &states {
            let _ = writeln!(
                text,
                "-- pod {namespace}/{name}: ready {}, restarts {}: {:?}",
                state.ready, state.restart_count, state.state
            );
        }
        for previous in [true, false] {
            let parameters = LogParams { tail_lines: Some(TAIL), previous, ..LogParams::default() };
            if let Ok(log) = api.logs(&name, &parameters).await {
                let _ = writeln!(text, "{log}");
            }
        }
    }
}
