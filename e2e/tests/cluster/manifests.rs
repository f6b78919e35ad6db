//! Manifests that are applied by hand, judged by the real API server. Nothing is created: every request is a dry run.

use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams, ValidationDirective};
use serde_json::Value;
use tributary_e2e::cluster::{Cluster, Objects, SYSTEM_NAMESPACE};

#[tokio::test]
async fn the_server_accepts_what_kind_up_applies() {
    let cluster = Cluster::connect().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("kind/services.yaml");
    let manifests: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let parameters = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("user") };
    let mut judged = 0;
    for mut manifest in manifests.into_iter().filter(|manifest| manifest["kind"] != "Namespace") {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (kind, name, wanted) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
        // On kind they are there, with their ports.
        let is_there = namespaces.get_opt(&wanted).await.unwrap().is_some();
        let namespace = if is_there { wanted } else { SYSTEM_NAMESPACE.to_owned() };
        let objects = Objects::new(&cluster.client, &namespace, &text("/apiVersion"), &kind);
        manifest["metadata"]["namespace"] = namespace.into();
        let admitted =
            objects.api().patch(&name, &parameters.clone().dry_run().force(), &Patch::Apply(&manifest)).await;
        admitted.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        judged += 1;
    }
    assert!(judged > 6, "only {judged} objects");
}
