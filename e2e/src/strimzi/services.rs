//! Services without selectors, which lead to programs on the host.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::kind::Kind;
use super::resource::{Resource, View};

/// A port of a Service, and where it leads.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) number: u16,
    pub(super) target: SocketAddr,
}

/// What Strimzi labels its objects with. `component` is `kafka` or `kafka-connect`.
pub(super) fn labels(kind: Kind, owner: &Resource, component: &str) -> Value {
    let cluster = owner.key().1;
    let suffix = if kind == Kind::Kafka { "kafka" } else { "connect" };
    json!({
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/part-of": format!("strimzi-{cluster}"),
        "strimzi.io/cluster": cluster,
        "strimzi.io/component-type": component,
        "strimzi.io/kind": kind.name(),
        "strimzi.io/name": format!("{cluster}-{suffix}"),
    })
}

/// The metadata of an object that belongs to a resource and goes with it.
pub(super) fn metadata(kind: Kind, owner: &Resource, component: &str, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": owner.key().0,
        "labels": labels(kind, owner, component),
        "ownerReferences": [owner.owner_reference(kind)],
    })
}

/// The Service of this metadata.
pub(super) fn service(metadata: &Value, ports: &[Port]) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|it| json!({"name": it.name, "port": it.number, "protocol": "TCP", "targetPort": it.target.port()}))
        .collect();
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"type": "ClusterIP", "ports": ports}})
}

/// The slice that leads the Service of this metadata to one program. `number` tells the programs apart.
pub(super) fn slice(metadata: &Value, number: usize, ports: &[Port]) -> Option<Value> {
    let address = ports.first()?.target.ip();
    let mut metadata = metadata.clone();
    let service = metadata["name"].as_str()?.to_owned();
    metadata["name"] = format!("{service}-{number}").into();
    metadata["labels"]["kubernetes.io/service-name"] = service.into();
    metadata["labels"]["endpointslice.kubernetes.io/managed-by"] = "strimzi-stand-in".into();
    Some(json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": if address.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [address.to_string()], "conditions": {"ready": true}}],
        "ports": ports
            .iter()
            .map(|it| json!({"name": it.name, "port": it.target.port(), "protocol": "TCP"}))
            .collect::<Vec<_>>(),
    }))
}
