//! What is rejected, with field and advice; and what a plan resolves.

use serde_json::{Value, json};
use tributary_crds::CdcReplication;

use super::fixture::{defaults, resource, secret, secrets};
use super::{ConnectImage, Defaults, Plan, Rejection, SecretVersions, secret_names};

const SHOP: &str = include_str!("../build/golden/external-sasl-tls/input.yaml");

/// The document with the value at a JSON pointer replaced; `null` removes it.
fn with(pointer: &str, value: Value) -> CdcReplication {
    let mut document = serde_json::to_value(resource(SHOP)).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, value) {
        (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value,
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value)),
        _ => panic!("{pointer} is not in an object"),
    }
    serde_json::from_value(document).unwrap()
}

fn rejection(resource: &CdcReplication, defaults: &Defaults, secrets: &SecretVersions) -> Rejection {
    Plan::of(resource, defaults, secrets).unwrap_err()
}

/// Asserts that a resource, all else being well, is rejected so.
fn rejected(resource: &CdcReplication, field: &str, reason: &str, advice: &str) {
    assert_rejection(&rejection(resource, &defaults(), &secrets(resource)), field, reason, advice);
}

fn assert_rejection(rejection: &Rejection, field: &str, reason: &str, advice: &str) {
    assert_eq!((rejection.field.as_str(), rejection.reason), (field, reason), "{rejection}");
    assert!(rejection.advice.contains(advice), "{rejection}");
}

#[test]
fn a_resource_that_was_never_stored_is_rejected() {
    rejected(&with("/metadata/uid", Value::Null), "metadata.uid", "NotStored", "kubectl apply");
}

#[test]
fn two_tables_with_one_target_are_rejected() {
    let tables = json!([{"name": "public.a", "target": "x"}, {"name": "public.b", "target": "x"}]);
    rejected(&with("/spec/tables", tables), "spec.tables[1].target", "InvalidSpec", "another target");
}

#[test]
fn a_table_inside_the_folder_of_another_is_rejected() {
    let tables = json!([{"name": "public.a", "target": "x"}, {"name": "public.b", "target": "x/y"}]);
    rejected(&with("/spec/tables", tables), "spec.tables[1].target", "InvalidSpec", "outside the other");
}

#[test]
fn two_tables_with_one_topic_are_rejected() {
    let tables = json!([{"name": "public.a b"}, {"name": "public.a_b", "target": "other"}]);
    rejected(&with("/spec/tables", tables), "spec.tables[1].name", "InvalidSpec", "rename one");
}

#[test]
fn a_name_that_is_too_long_for_the_names_made_from_it_is_rejected() {
    rejected(&with("/metadata/name", "a".repeat(41).into()), "metadata.name", "InvalidSpec", "at most 40");
}

#[test]
fn everything_that_is_wrong_is_in_one_message() {
    let mut resource = with("/metadata/name", "a".repeat(41).into());
    resource.spec.tables.clear();
    let rejection = rejection(&resource, &defaults(), &secrets(&resource));
    assert!(rejection.to_string().contains("also spec.tables: no table is listed"), "{rejection}");
}

#[test]
fn a_missing_secret_is_rejected_wherever_it_is_named() {
    let resource = resource(SHOP);
    for (name, field) in [
        ("shop-db", "spec.source.postgres.credentials"),
        ("kafka-ca", "spec.kafka.external.tls.caSecret"),
        ("shop-certificate", "spec.kafka.external.tls.clientCertificate"),
        ("shop-user", "spec.kafka.external.sasl.credentials"),
        ("registry", "spec.format.avro.credentials"),
        ("registry-ca", "spec.format.avro.tls.caSecret"),
        ("lake", "spec.destination.s3.credentials"),
    ] {
        let mut secrets = secrets(&resource);
        assert!(secrets.0.remove(name).is_some(), "{name} is not asked for");
        assert_rejection(
            &rejection(&resource, &defaults(), &secrets),
            field,
            "SecretNotFound",
            "create it with the key",
        );
    }
}

#[test]
fn a_missing_right_to_push_an_image_is_rejected() {
    let mut resource = with("/spec/connect", json!({"build": {"image": "r/connect:1", "pushSecret": "push"}}));
    resource.spec.format = tributary_crds::Format::default();
    let mut secrets = secrets(&resource);
    secrets.0.remove("push").unwrap();
    let rejection = rejection(&resource, &defaults(), &secrets);
    assert_rejection(&rejection, "spec.connect.build.pushSecret", "SecretNotFound", ".dockerconfigjson");
}

#[test]
fn a_missing_key_of_a_secret_is_rejected() {
    let resource = resource(SHOP);
    for (name, key, field) in [
        ("shop-db", "password", "spec.source.postgres.credentials"),
        ("kafka-ca", "ca.crt", "spec.kafka.external.tls.caSecret"),
        ("shop-certificate", "tls.key", "spec.kafka.external.tls.clientCertificate"),
        ("lake", "AWS_SECRET_ACCESS_KEY", "spec.destination.s3.credentials"),
    ] {
        let mut secrets = secrets(&resource);
        secrets.0.get_mut(name).unwrap().keys.remove(key).unwrap();
        let advice = format!("add the key {key}");
        assert_rejection(&rejection(&resource, &defaults(), &secrets), field, "SecretKeyMissing", &advice);
    }
}

#[test]
fn a_value_that_connect_would_misread_is_rejected() {
    let resource = resource(SHOP);
    for (name, value, reason, advice) in [
        ("shop-db", "", "SecretValueEmpty", "write the value"),
        ("shop-db", "secret\n", "SecretValueHasLineBreak", "--from-literal=username"),
        ("shop-user", "pass\"word", "SecretValueNotQuotable", "without these characters"),
        ("shop-user", "pass\\word", "SecretValueNotQuotable", "without these characters"),
    ] {
        let mut secrets = secrets(&resource);
        secrets.0.insert(name.to_owned(), secret("1", value));
        let rejection = rejection(&resource, &defaults(), &secrets);
        assert_eq!(rejection.reason, reason, "{rejection}");
        assert!(rejection.advice.contains(advice), "{rejection}");
        assert!(value.is_empty() || !rejection.to_string().contains(value), "{rejection}");
    }
}

#[test]
fn a_certificate_may_end_with_a_line_break_and_a_database_password_may_have_quotes() {
    let resource = resource(SHOP);
    let mut secrets = secrets(&resource);
    secrets.0.insert("kafka-ca".to_owned(), secret("1", "-----BEGIN\n"));
    secrets.0.insert("shop-db".to_owned(), secret("1", "a\"b\\c"));
    Plan::of(&resource, &defaults(), &secrets).unwrap();
}

#[test]
fn no_image_of_connect_anywhere_is_rejected() {
    let mut resource = with("/spec/connect", json!({}));
    resource.spec.format = tributary_crds::Format::default();
    let defaults = Defaults { connect_image: None, ..defaults() };
    let rejection = rejection(&resource, &defaults, &secrets(&resource));
    assert_rejection(&rejection, "spec.connect", "ConnectImageMissing", "spec.connect.build");
}

#[test]
fn a_registry_that_no_image_trusts_is_rejected() {
    let resource = with("/spec/connect", json!({}));
    rejected(&resource, "spec.format.avro.tls", "RegistryAuthorityUnknown", "spec.connect.image");
}

#[test]
fn a_converter_that_cannot_be_built_in_is_rejected() {
    let mut resource = with("/spec/connect", json!({"build": {"image": "r/connect:1"}}));
    resource.spec.format.avro.as_mut().unwrap().tls = None;
    resource.spec.format.avro.as_mut().unwrap().converter = tributary_crds::AvroConverter::Confluent;
    rejected(&resource, "spec.format.avro.converter", "ConverterNotBuildable", "converter: Apicurio");
}

#[test]
fn a_folder_of_a_pod_is_rejected_as_destination() {
    let resource = with("/spec/destination", json!({"uri": "file:///lake"}));
    rejected(&resource, "spec.destination.uri", "LocalDestination", "s3://bucket/prefix");
}

#[test]
fn a_memory_limit_that_the_buffers_would_fill_is_rejected() {
    let resource = with("/spec/replicator", json!({"memory": "256Mi", "resources": {"limits": {"memory": "511Mi"}}}));
    let field = "spec.replicator.resources.limits.memory";
    rejected(&resource, field, "MemoryLimitTooSmall", "lower spec.replicator.memory");
}

#[test]
fn an_amount_that_cannot_be_read_is_rejected() {
    for (pointer, field) in [
        ("/spec/replicator", "spec.replicator.resources.requests.cpu"),
        ("/spec/connect", "spec.connect.resources.requests.cpu"),
    ] {
        let mut resource = with(pointer, json!({"image": "r/x:1", "resources": {"requests": {"cpu": "two"}}}));
        rejected(&resource, field, "AmountUnreadable", "500m");
        for amount in [json!(2), json!("500m"), json!("1.5")] {
            resource = with(pointer, json!({"image": "r/x:1", "resources": {"requests": {"cpu": amount}}}));
            Plan::of(&resource, &defaults(), &secrets(&resource)).unwrap();
        }
    }
}

#[test]
fn the_secrets_that_strimzi_makes_may_come_later() {
    let resource = with("/spec/kafka", json!({"strimzi": {"authentication": "ScramSha512"}}));
    let names = secret_names(&resource);
    assert!(names.contains("shop-kafka-user") && names.contains("shop-cluster-ca-cert"), "{names:?}");
    let mut secrets = secrets(&resource);
    let before = Plan::of(&resource, &defaults(), &secrets).unwrap();
    secrets.0.remove("shop-kafka-user").unwrap();
    let after = Plan::of(&resource, &defaults(), &secrets).unwrap();
    assert_ne!(before.replicator.secrets_version, after.replicator.secrets_version);
}

#[test]
fn a_rotated_secret_changes_the_version_of_those_who_read_it_and_of_nobody_else() {
    let resource = resource(SHOP);
    let versions = |rotated: &str| {
        let mut secrets = secrets(&resource);
        if let Some(secret) = secrets.0.get_mut(rotated) {
            secret.version = "rotated".to_owned();
        }
        let plan = Plan::of(&resource, &defaults(), &secrets).unwrap();
        let worker = plan.connect.own.unwrap().secrets_version.unwrap();
        [plan.connect.connector_secrets_version, worker, plan.replicator.secrets_version]
    };
    let before = versions("none");
    for (name, read_by) in [
        ("shop-db", [true, false, true]),
        ("shop-user", [false, true, true]),
        ("registry", [true, false, true]),
        // Its replicator reads it again by itself.
        ("lake", [false, false, false]),
    ] {
        let after = versions(name);
        let changed = [0, 1, 2].map(|reader| before[reader] != after[reader]);
        assert_eq!(changed, read_by, "{name}");
    }
}

#[test]
fn the_images_of_the_resource_come_before_those_of_the_operator() {
    let plan = |resource: &CdcReplication| Plan::of(resource, &defaults(), &secrets(resource)).unwrap();
    let own = plan(&with("/spec/replicator", json!({"image": "my/replicator:2"})));
    assert_eq!(own.replicator.image, "my/replicator:2");
    assert_eq!(own.connect.own.unwrap().image, ConnectImage::Ready("registry.example.com/own-connect:1".to_owned()));
    assert_eq!(plan(&resource(SHOP)).replicator.image, "tributary/replicator:0.1.0");
}
