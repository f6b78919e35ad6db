//! Documents that are refused at start.

use std::time::Duration;

use serde_json::{Value, json};
use tributary_e2e::pipeline::replicator_program;

/// A document that has nothing wrong, and points at nothing.
fn document() -> Value {
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": { "name": "shop" },
        "spec": {
            "source": { "postgres": { "host": "db", "database": "shop", "credentials": { "secretName": "db" } } },
            "tables": [{ "name": "public.users" }, { "name": "public.orders" }],
            "kafka": { "external": { "bootstrapServers": "kafka:9092" } },
            "destination": { "uri": "s3://lake/shop" },
        },
    })
}

/// What `replicator run` says of a document that it must refuse.
async fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = tokio::process::Command::new(replicator_program().unwrap());
    command.args(["run", "-f"]).arg(&file).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("it was not refused: {text}")).unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    message
}

async fn assert_refused(change: impl FnOnce(&mut Value), words: &[&str]) {
    let mut document = document();
    change(&mut document["spec"]);
    let message = refusal(&document.to_string()).await;
    for word in words {
        assert!(message.contains(word), "\"{word}\" is not in:\n{message}");
    }
    println!("{message}");
}

#[tokio::test]
async fn a_document_with_an_unknown_field_is_refused_with_its_path_and_the_nearest_name() {
    let change = |spec: &mut Value| spec["replicator"] = json!({ "commitIntervall": "1s" });
    assert_refused(change, &["shop.yaml", "spec.replicator.commitIntervall", "did you mean commitInterval?"]).await;
}

#[tokio::test]
async fn a_document_with_a_value_of_the_wrong_type_is_refused_with_its_path_and_what_belongs_there() {
    let change = |spec: &mut Value| spec["source"]["postgres"]["port"] = json!("the usual one");
    assert_refused(change, &["spec.source.postgres.port", "invalid type: string", "fix: Port of the server"]).await;
}

#[tokio::test]
async fn a_document_with_two_formats_is_refused() {
    let url = "http://registry:8080/apis/ccompat/v7";
    let change = |spec: &mut Value| spec["format"] = json!({ "json": {}, "avro": { "registryUrl": url } });
    assert_refused(change, &["spec.format", "json and avro exclude each other", "fix: keep one of"]).await;
}

#[tokio::test]
async fn a_document_with_two_tables_for_one_target_is_refused() {
    let change = |spec: &mut Value| spec["tables"][1]["target"] = json!("public/users");
    assert_refused(change, &["spec.tables[1].target", "spec.tables[0] has the same target", "fix: give one"]).await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_document_is_said_at_once() {
    let change = |spec: &mut Value| {
        spec["destination"]["uri"] = json!("ftp://lake");
        spec["replicator"] = json!({ "commitInterval": "0s", "memory": "1Mi" });
    };
    let words = ["3 values of the document are wrong", "spec.destination.uri", "commitInterval", "replicator.memory"];
    assert_refused(change, &words).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_or_not_yaml_or_not_ours_is_named() {
    let message = refusal("{ not: [yaml").await;
    assert!(message.contains("shop.yaml is not a usable CdcReplication") && message.contains("line 1"), "{message}");
    let message = refusal("kind: ConfigMap").await;
    assert!(message.contains("there is no `kind: CdcReplication`"), "{message}");
    let mut command = tokio::process::Command::new(replicator_program().unwrap());
    let output = command.args(["run", "-f", "no-such.yaml"]).output().await.unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("cannot read no-such.yaml: No such file"), "{message}");
}

#[tokio::test]
async fn a_document_with_secrets_and_no_directory_for_them_is_refused_with_the_option() {
    let change = |spec: &mut Value| spec["destination"]["s3"] = json!({ "credentials": { "secretName": "lake" } });
    assert_refused(change, &["spec.destination.s3.credentials", "--secrets DIR", "DIR/lake/AWS_ACCESS_KEY_ID"]).await;
}
