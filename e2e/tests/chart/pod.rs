//! The operator's pod.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DEFAULT, EVERYTHING, NAMESPACES, SHAPES, objects, of_kind, text};

fn template(shape: &str) -> Value {
    of_kind(&objects(&text(shape, &[])), "Deployment").remove(0)["spec"]["template"].clone()
}

fn environment(shape: &str) -> BTreeMap<String, String> {
    let container = &template(shape)["spec"]["containers"][0];
    let variables =
        container["env"].as_array().unwrap().iter().filter_map(|variable| {
            Some((variable["name"].as_str()?.to_owned(), variable["value"].as_str()?.to_owned()))
        });
    variables.collect()
}

#[test]
fn the_pod_is_as_restricted_as_the_strictest_standard_of_kubernetes_asks() {
    for shape in SHAPES {
        let pod = &template(shape)["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        }
        for field in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
            assert!(pod[field].is_null(), "{field}");
        }
    }
}

#[test]
fn each_probe_asks_its_own_question() {
    let container = &template(DEFAULT)["spec"]["containers"][0];
    for (probe, path) in [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
    }
}

#[test]
fn the_operator_is_told_its_settings_by_the_environment() {
    let expected = [
        ("TRIBUTARY_WATCH_NAMESPACES", ""),
        ("TRIBUTARY_REPLICATOR_IMAGE", concat!("tributary/replicator:", env!("CARGO_PKG_VERSION"))),
        ("TRIBUTARY_HTTP_PORT", "8080"),
        ("TRIBUTARY_LEASE_NAME", "tributary-operator"),
        ("TRIBUTARY_LOG_FORMAT", "json"),
    ];
    let expected: BTreeMap<String, String> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(environment(DEFAULT), expected);
    assert_eq!(environment(NAMESPACES)["TRIBUTARY_WATCH_NAMESPACES"], "shop,lake");
    let everything = environment(EVERYTHING);
    for (name, value) in [
        ("TRIBUTARY_REPLICATOR_IMAGE", "registry.example.com/tributary/replicator:1"),
        ("TRIBUTARY_CONNECT_IMAGE", "registry.example.com/tributary/connect:1"),
        ("TRIBUTARY_KAFKA_VERSION", "4.3.1"),
        ("RUST_LOG", "debug"),
        ("HTTPS_PROXY", "http://proxy.example.com:3128"),
    ] {
        assert_eq!(everything[name], value, "{name}");
    }
}

#[test]
fn the_operator_knows_every_variable_that_the_chart_sets() {
    let sources = ["operator/src/settings.rs", "operator/src/main.rs"].map(super::read).concat();
    let container = &template(EVERYTHING)["spec"]["containers"][0];
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let known = ["RUST_LOG", "HTTPS_PROXY"].contains(&name) || sources.contains(&format!("\"{name}\""));
        assert!(known, "{name} is set by the chart and read by nobody");
    }
}

#[test]
fn the_pods_rights_come_from_the_account_that_the_roles_are_bound_to() {
    for shape in SHAPES {
        let objects = objects(&text(shape, &[]));
        let account = of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["serviceAccountName"].clone();
        let bindings = objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Binding"));
        for binding in bindings {
            assert_eq!(binding["subjects"][0]["name"], account, "{binding}");
        }
    }
}
