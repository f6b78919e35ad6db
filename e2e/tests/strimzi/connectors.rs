//! Connect and its connectors.

use serde_json::{Value, json};
use tributary_e2e::stack::POSTGRES_PASSWORD;

use super::need_a_node;
use super::playground::{NAMESPACE, Playground, connect, is_ready};

#[tokio::test]
async fn a_connector_reads_its_password_from_a_secret_pauses_stops_goes_on_and_goes() {
    need_a_node!();
    let playground = Playground::new().await;
    // In any order: each waits for what it needs.
    playground.connector("users", json!({})).await;
    let message = playground.until_refused("KafkaConnector", "users", "NoSuchResourceException").await;
    assert!(message.starts_with("KafkaConnect resource 'cdc' identified by label"), "{message}");
    playground.connect().await;
    playground.kafka().await;
    let connect = playground.until_ready("KafkaConnect", "cdc").await;
    assert_eq!(connect["status"]["url"], "http://cdc-connect-api.lake.svc:8083");
    assert_eq!(connect["status"]["connectorPlugins"][0]["type"], "source");
    let running = playground.until("KafkaConnector", "users", |it| is_in(it, "RUNNING", &["RUNNING"])).await;
    assert!(!running["status"].to_string().contains(POSTGRES_PASSWORD) || POSTGRES_PASSWORD == "postgres");
    playground.until("KafkaConnector", "users", |it| it["status"]["topics"] == json!(["users.public.users"])).await;

    for (state, connector, tasks) in
        [("paused", "PAUSED", &["PAUSED"][..]), ("stopped", "STOPPED", &[]), ("running", "RUNNING", &["RUNNING"])]
    {
        playground.change("KafkaConnector", "users", json!({"spec": {"state": state}})).await;
        playground.until("KafkaConnector", "users", |it| is_ready(it) && is_in(it, connector, tasks)).await;
    }
    annotations_ask_for_restarts(&playground).await;
    what_cannot_run_is_refused_with_connects_message(&playground).await;
    a_list_makes_the_connect_not_ready(&playground).await;
    a_changed_connect_starts_its_worker_anew(&playground).await;

    playground.delete("KafkaConnect", "cdc").await;
    playground.until_refused("KafkaConnector", "users", "NoSuchResourceException").await;
    playground.until("Kafka", "ev", |_| playground.kept() == ["lake.ev"]).await;
    playground.delete("Namespace", NAMESPACE).await;
    playground.until_gone("Namespace", NAMESPACE).await;
    playground.until("Namespace", NAMESPACE, |_| playground.kept().is_empty()).await;
}

fn is_in(connector: &Value, state: &str, tasks: &[&str]) -> bool {
    let status = &connector["status"]["connectorStatus"];
    let found = status["tasks"].as_array().into_iter().flatten().map(|task| task["state"].as_str().unwrap());
    status["connector"]["state"] == state && found.eq(tasks.iter().copied())
}

async fn annotations_ask_for_restarts(playground: &Playground) {
    let annotate = |name: &str, value: &str| json!({"metadata": {"annotations": {name: value}}});
    let annotation = |it: &Value, name: &str| it["metadata"]["annotations"].get(name).is_some();
    playground.change("KafkaConnector", "users", annotate("strimzi.io/restart", "includeTasks")).await;
    playground.until("KafkaConnector", "users", |it| !annotation(it, "strimzi.io/restart")).await;
    playground.change("KafkaConnector", "users", annotate("strimzi.io/restart-task", "7")).await;
    let warning = playground.until_refused("KafkaConnector", "users", "RestartConnectorTask").await;
    assert_eq!(
        warning,
        "Failed to restart connector task users:7. io.strimzi.operator.cluster.operator.assembly.ConnectRestException: \
         POST /connectors/users/tasks/7/restart returned 404 (404): Unexpected status code"
    );
    playground.change("KafkaConnector", "users", annotate("strimzi.io/restart-task", "0")).await;
    playground.until("KafkaConnector", "users", |it| !annotation(it, "strimzi.io/restart-task")).await;
}

async fn what_cannot_run_is_refused_with_connects_message(playground: &Playground) {
    let cases = [
        ("wrong", json!({"database.password": "wrong"}), "password authentication failed for user \"postgres\""),
        ("nosecret", json!({"database.password": "${secrets:lake/none:x}"}), "Failed to retrieve Secret none from"),
        ("forbidden", json!({"database.password": "${secrets:lake/other:x}"}), "Failed to retrieve Secret other from"),
        ("novalue", json!({"snapshot.mode": "nonsense"}), "The 'snapshot.mode' value is invalid"),
    ];
    let other = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}, "stringData": {"x": "y"}});
    playground.apply(other).await;
    for (name, config, expected) in cases {
        playground.connector(name, config).await;
        let message = playground.until_refused("KafkaConnector", name, "CompletionException").await;
        let start = "io.strimzi.operator.cluster.operator.assembly.ConnectRestException: POST /connectors returned ";
        assert!(message.starts_with(start) && message.contains(expected), "{message}");
        playground.delete("KafkaConnector", name).await;
    }
}

async fn a_list_makes_the_connect_not_ready(playground: &Playground) {
    playground.connector("list", json!({"table.include.list": ["public.users"]})).await;
    let message = playground.until_refused("KafkaConnect", "cdc", "InvalidConfigParameterException").await;
    assert_eq!(message, "table.include.list: Unsupported type class java.util.ArrayList in configuration for this key");
    let list = playground.get("KafkaConnector", "list").await.unwrap();
    assert_eq!(list["status"], Value::Null);
    playground.delete("KafkaConnector", "list").await;
    playground.until_ready("KafkaConnect", "cdc").await;
}

async fn a_changed_connect_starts_its_worker_anew(playground: &Playground) {
    playground.apply(connect(json!({"offset.flush.interval.ms": 1000}))).await;
    playground.until_ready("KafkaConnect", "cdc").await;
    playground.until("KafkaConnector", "users", |it| is_ready(it) && is_in(it, "RUNNING", &["RUNNING"])).await;
    playground.change("KafkaConnect", "cdc", json!({"spec": {"replicas": 0}})).await;
    let resting = playground.until_ready("KafkaConnect", "cdc").await;
    assert_eq!(resting["status"].get("url"), None);
    let message = playground.until_refused("KafkaConnector", "users", "RuntimeException").await;
    assert_eq!(message, "Kafka Connect cluster 'cdc' in namespace lake has 0 replicas.");
    playground.change("KafkaConnect", "cdc", json!({"spec": {"replicas": 1}})).await;
    playground.until("KafkaConnector", "users", |it| is_ready(it) && is_in(it, "RUNNING", &["RUNNING"])).await;
}
