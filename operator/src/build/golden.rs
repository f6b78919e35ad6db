//! Whole sets of children, in files; and what holds for every set. `UPDATE_GOLDEN=1` writes the files again.

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use serde_json::{Value, json};
use tributary_crds::{CdcReplication, document};

use super::{Children, KINDS, MANAGER, Object, children, labels};
use crate::plan::fixture::{defaults, resource, secrets};
use crate::plan::{Defaults, Plan};

/// A folder with `input.yaml` and `children.yaml`.
struct Case {
    name: String,
    plan: Plan,
    objects: Vec<Object>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/build/golden")
}

fn case(name: &str) -> Case {
    let input = fs::read_to_string(folder().join(name).join("input.yaml")).unwrap();
    let resource = resource(&input);
    // One cluster knows the kind.
    let defaults = Defaults { pod_monitors: name == "strimzi-avro", ..defaults() };
    let plan = Plan::of(&resource, &defaults, &secrets(&resource)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let objects = children(&plan).objects();
    Case { name: name.to_owned(), plan, objects }
}

fn cases() -> Vec<Case> {
    let folders = fs::read_dir(folder()).unwrap().map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = folders.collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names.iter().map(|name| case(name)).collect()
}

fn yaml(objects: &[Object]) -> String {
    objects.iter().fold(String::new(), |mut text, object| {
        let _ = write!(text, "---\n{}", serde_saphyr::to_string(&object.manifest).unwrap());
        text
    })
}

impl Case {
    fn the(&self, kind: &str) -> &Value {
        let found = self.objects.iter().find(|object| object.kind.kind == kind);
        &found.unwrap_or_else(|| panic!("{}: no {kind}", self.name)).manifest
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| object.kind.kind == kind).map(|object| &object.manifest)
    }
}

/// All texts in a value, with the key they stand under.
fn texts<'a>(value: &'a Value, key: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((key, text)),
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| texts(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_children_of_each_case_are_the_recorded_ones() {
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for case in cases() {
        let path = folder().join(&case.name).join("children.yaml");
        let text = yaml(&case.objects);
        if is_update {
            fs::write(&path, &text).unwrap();
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        assert!(recorded == text, "{}: run with UPDATE_GOLDEN=1 and look at the difference", case.name);
    }
}

#[test]
fn the_same_resource_gives_the_same_bytes() {
    for case in cases() {
        assert_eq!(yaml(&case.objects), yaml(&self::case(&case.name).objects), "{}", case.name);
    }
}

#[test]
fn objects_come_in_the_order_of_the_kinds_and_no_two_have_one_name() {
    for case in cases() {
        let places: Vec<usize> =
            case.objects.iter().map(|object| KINDS.iter().position(|kind| kind == object.kind).unwrap()).collect();
        assert!(places.is_sorted(), "{}", case.name);
        let names: BTreeSet<(&str, &str)> =
            case.objects.iter().map(|object| (object.kind.kind, object.name.as_str())).collect();
        assert_eq!(names.len(), case.objects.len(), "{}", case.name);
    }
}

#[test]
fn every_child_says_what_it_is_where_it_is_and_whose_it_is() {
    for case in cases() {
        for Object { kind, name, manifest } in &case.objects {
            let at = format!("{}: {} {name}", case.name, kind.kind);
            let api_version = if kind.group.is_empty() {
                kind.version.to_owned()
            } else {
                format!("{}/{}", kind.group, kind.version)
            };
            assert_eq!((&manifest["apiVersion"], &manifest["kind"]), (&json!(api_version), &json!(kind.kind)), "{at}");
            let metadata = &manifest["metadata"];
            assert_eq!(metadata["namespace"], case.plan.namespace, "{at}");
            assert!(!name.is_empty() && name.len() <= 63 && metadata["name"] == **name, "{at}");
            for (key, value) in labels(&case.plan.name) {
                assert_eq!(metadata["labels"][&key], value, "{at}");
            }
            let component = metadata["labels"]["app.kubernetes.io/component"].as_str().unwrap();
            assert!(["kafka", "connect", "replicator"].contains(&component), "{at}");
            if kind.keep {
                assert_eq!(metadata["ownerReferences"], Value::Null, "{at}");
            } else {
                let owner = &metadata["ownerReferences"][0];
                assert_eq!((&owner["kind"], &owner["controller"]), (&json!("CdcReplication"), &json!(true)), "{at}");
            }
        }
    }
}

#[test]
fn nothing_of_kafka_is_made_beside_a_kafka_that_exists() {
    for case in cases() {
        let kept = case.objects.iter().filter(|object| object.kind.keep).count();
        assert_eq!(kept > 0, case.plan.kafka.is_some(), "{}", case.name);
    }
}

#[test]
fn labels_and_names_fit_into_what_kubernetes_makes_of_them() {
    for case in cases() {
        let set = case.the("StatefulSet");
        // The pods' label `controller-revision-hash`, and their names.
        assert!(set["metadata"]["name"].as_str().unwrap().len() + 11 <= 63, "{}", case.name);
        for pool in case.of("KafkaNodePool") {
            let pod = format!("{}-{}-9", case.plan.name, pool["metadata"]["name"].as_str().unwrap());
            assert!(pod.len() <= 63, "{pod}");
        }
        for object in &case.objects {
            let labels = object.manifest["metadata"]["labels"].as_object().unwrap();
            assert!(labels.values().all(|value| value.as_str().unwrap().len() <= 63), "{}", case.name);
        }
    }
}

#[test]
fn the_pods_meet_the_restricted_pod_security_standard() {
    for case in cases() {
        let pod = &case.the("StatefulSet")["spec"]["template"]["spec"];
        let context = &pod["securityContext"];
        assert_eq!((&context["runAsNonRoot"], &context["runAsUser"]), (&json!(true), &json!(65_532)), "{}", case.name);
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        }
        let allowed = ["configMap", "emptyDir", "name", "projected", "secret"];
        for volume in pod["volumes"].as_array().unwrap() {
            assert!(volume.as_object().unwrap().keys().all(|kind| allowed.contains(&kind.as_str())), "{volume}");
        }
    }
}

#[test]
fn every_container_has_probes_requests_limits_and_a_fixed_image() {
    for case in cases() {
        for container in case.the("StatefulSet")["spec"]["template"]["spec"]["containers"].as_array().unwrap() {
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                assert_eq!(container[probe]["httpGet"]["path"], "/healthz", "{}", case.name);
            }
            let resources = &container["resources"];
            assert!(resources["requests"]["memory"].is_string() && resources["limits"]["memory"].is_string());
        }
        let mut found = Vec::new();
        case.objects.iter().for_each(|object| texts(&object.manifest, "", &mut found));
        for (_, image) in found.into_iter().filter(|(key, _)| *key == "image") {
            let tag = image.rsplit('/').next().unwrap().split_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{image}");
        }
    }
}

#[test]
fn a_selector_finds_the_pods() {
    for case in cases() {
        let set = &case.the("StatefulSet")["spec"];
        let labels = set["template"]["metadata"]["labels"].as_object().unwrap();
        let selectors = [
            &set["selector"]["matchLabels"],
            &case.the("Service")["spec"]["selector"],
            &case.the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        ];
        for selector in selectors {
            for (key, value) in selector.as_object().unwrap() {
                assert_eq!(labels.get(key), Some(value), "{}", case.name);
            }
        }
    }
}

#[test]
fn every_secret_of_a_configuration_is_a_placeholder() {
    for case in cases() {
        let mut found = Vec::new();
        case.objects.iter().for_each(|object| texts(&object.manifest, "", &mut found));
        let is_secret =
            |key: &str| ["password", "jaas.config", "user.info", "keystore.key"].iter().any(|it| key.ends_with(it));
        for (key, value) in found.into_iter().filter(|(key, _)| is_secret(key)) {
            // Strimzi's `passwordSecret` names the key.
            assert!(value.contains("${secrets:") || (key, value) == ("password", "password"), "{key}: {value}");
        }
        // What the tests put into every Secret.
        assert!(!yaml(&case.objects).contains(": value\n"), "{}", case.name);
    }
}

#[test]
fn kafka_connect_may_read_the_secrets_of_its_placeholders_and_no_others() {
    for case in cases() {
        let mut found = Vec::new();
        let readers = case.of("KafkaConnector").chain(case.of("KafkaConnect"));
        readers.for_each(|object| texts(object, "", &mut found));
        let prefix = format!("${{secrets:{}/", case.plan.namespace);
        let named: BTreeSet<&str> = found
            .iter()
            .flat_map(|(_, text)| text.split(&prefix).skip(1))
            .map(|rest| rest.split(':').next().unwrap())
            .collect();
        let role = case.of("Role").find(|role| role["rules"][0]["resources"][0] == "secrets").unwrap();
        let allowed: BTreeSet<&str> =
            role["rules"][0]["resourceNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(role["rules"][0]["verbs"], json!(["get"]));
        assert_eq!(named, allowed, "{}", case.name);
    }
}

#[test]
fn the_replicator_can_read_its_document_and_finds_every_secret_of_it() {
    for case in cases() {
        let text = case.the("ConfigMap")["data"]["replication.yaml"].as_str().unwrap();
        let document = document::parse(text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", case.name));
        assert!(document.spec.kafka.external.is_some() && document.status.is_none(), "{}", case.name);
        let pod = &case.the("StatefulSet")["spec"]["template"]["spec"];
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let volumes = pod["volumes"].as_array().unwrap();
        let spec = serde_json::to_value(&document.spec).unwrap();
        let mut found = Vec::new();
        for part in ["source", "kafka", "format", "destination"] {
            texts(&spec[part], "", &mut found);
        }
        for (_, secret) in found.into_iter().filter(|(key, _)| *key == "secretName") {
            let path = format!("/etc/tributary/secrets/{secret}");
            let mount = mounts.iter().find(|mount| mount["mountPath"] == path).unwrap_or_else(|| panic!("no {path}"));
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{path}");
        }
    }
}

#[test]
fn topics_of_changes_are_never_compacted_and_those_of_connect_always() {
    for case in cases().iter().filter(|case| case.plan.kafka.is_some()) {
        let brokers = case.the("KafkaNodePool")["spec"]["replicas"].as_i64().unwrap();
        for topic in case.of("KafkaTopic") {
            let spec = &topic["spec"];
            let name = spec["topicName"].as_str().unwrap();
            let policy = if name.contains(".connect-") { "compact" } else { "delete" };
            assert_eq!((&spec["config"]["cleanup.policy"], &spec["partitions"]), (&json!(policy), &json!(1)), "{name}");
            assert!(spec["replicas"].as_i64().unwrap() <= brokers.min(3), "{name}");
            assert_eq!(topic["metadata"]["labels"]["strimzi.io/cluster"], case.plan.name);
        }
        let tables = case.plan.resource.spec.tables.len();
        let own_connect = usize::from(case.plan.connect.own.is_some()) * 3;
        // Beside the tables': those of ticks and heartbeats.
        assert_eq!(case.of("KafkaTopic").count(), tables + 2 + own_connect, "{}", case.name);
    }
}

#[test]
fn a_suspended_resource_stops_its_connector_has_no_pods_and_lets_nothing_expire() {
    let (suspended, running) = (case("suspended"), case("strimzi-json"));
    assert_eq!(suspended.the("KafkaConnector")["spec"]["state"], "stopped");
    assert_eq!(running.the("KafkaConnector")["spec"]["state"], "running");
    assert_eq!(suspended.the("StatefulSet")["spec"]["replicas"], 0);
    assert_eq!(suspended.of("KafkaTopic").next().unwrap()["spec"]["config"]["retention.ms"], -1);
    assert_eq!(running.of("KafkaTopic").next().unwrap()["spec"]["config"]["retention.ms"], 604_800_000);
}

#[test]
fn a_change_of_the_image_of_connect_does_not_restart_the_replicator() {
    let set = |yaml: &str| {
        let resource = resource(yaml);
        let plan = Plan::of(&resource, &defaults(), &secrets(&resource)).unwrap();
        children(&plan).objects().into_iter().find(|object| object.kind.kind == "StatefulSet").unwrap()
    };
    let input = fs::read_to_string(folder().join("external-plain/input.yaml")).unwrap();
    assert_eq!(set(&input), set(&format!("{input}  connect: {{image: 'r/other:2'}}\n")));
    assert_ne!(set(&input), set(&format!("{input}  replicator: {{commitInterval: 1s}}\n")));
}

#[test]
fn every_pod_has_a_volume_of_bounded_size_for_its_key_index_and_may_write_to_it() {
    for case in cases() {
        let pod = &case.the("StatefulSet")["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "index").unwrap();
        let size = case.plan.resource.spec.replicator.index.storage.to_string();
        assert_eq!(volume["emptyDir"], json!({"sizeLimit": size}), "{}", case.name);
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == "index").unwrap();
        let variables = container["env"].as_array().unwrap();
        let variable = variables.iter().find(|variable| variable["name"] == "TRIBUTARY_INDEX_DIR").unwrap();
        assert!(mount["mountPath"] == variable["value"] && mount["readOnly"] == Value::Null, "{mount} {variable}");
        assert_eq!(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsUser"]);
    }
}

#[test]
fn an_annotation_that_restarts_one_table_changes_no_child() {
    let input = fs::read_to_string(folder().join("strimzi-json/input.yaml")).unwrap();
    let objects =
        |resource: &CdcReplication| children(&Plan::of(resource, &defaults(), &secrets(resource)).unwrap()).objects();
    let before = resource(&input);
    let mut after = before.clone();
    let annotation = ("tributary.dev/restart".to_owned(), "public.orders=2026-11-28T05:00".to_owned());
    after.metadata.annotations.get_or_insert_default().extend([annotation]);
    assert_eq!(objects(&before), objects(&after));
}

#[test]
fn everybody_is_called_the_same() {
    assert_eq!(labels("shop")["app.kubernetes.io/managed-by"], MANAGER);
    let Children(built) = children(&case("external-plain").plan);
    assert!(built.kafka.is_none() && built.kafka_topics.is_empty());
}
