//! A stream that cannot go on: it is said, and begun anew without anybody's help.

use std::net::IpAddr;

use serde_json::json;
use tokio_postgres::NoTls;
use tributary_crds::CdcReplication;
use tributary_e2e::cluster::{Lab, in_lab, until};
use tributary_e2e::shop::TABLES;
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER, Part, Stack, StackOptions};

use super::shop::{self, NAME};

/// Waits until the source is said not to be ready for this reason.
async fn until_source(lab: &Lab, reason: &str) -> String {
    let is = |resource: &CdcReplication| message(resource, reason).is_some();
    let resource = until(&lab.replications(), NAME, &format!("the source is {reason}"), is).await.unwrap();
    message(&resource, reason).unwrap()
}

fn message(resource: &CdcReplication, reason: &str) -> Option<String> {
    let mut conditions = resource.status.iter().flat_map(|status| &status.conditions);
    let found = conditions.find(|found| found.type_ == "SourceReady" && found.status == "False")?;
    (found.reason == reason).then(|| found.message.clone())
}

async fn drop_slot(lab: &Lab) {
    let end = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()";
    let drop =
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()";
    // The connector comes back to its slot at once.
    while lab.source.batch_execute(drop).await.is_err() {
        let _ = lab.source.batch_execute(end).await;
    }
}

/// From the moment at which it has caught up again, the tables are equal, and what comes then is followed.
async fn is_right_again(lab: &Lab) {
    lab.until_caught_up(NAME).await;
    shop::equal(lab).await;
    lab.sql("UPDATE users SET active = NOT active; DELETE FROM orders WHERE id % 5 = 0").await;
    shop::until_equal(lab).await;
}

/// Case C08.
#[tokio::test]
async fn a_slot_that_is_gone_is_said_and_all_tables_are_copied_anew() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        drop_slot(&lab).await;
        lab.sql("DELETE FROM users WHERE id % 3 = 0; UPDATE products SET stock = stock + 1").await;
        let message = until_source(&lab, "SlotLost").await;
        assert!(message.contains("every table is copied anew"), "{message}");
        is_right_again(&lab).await;
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_was_dropped_while_suspended_is_said_and_all_tables_are_copied_anew_when_that_is_asked_for() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        lab.patch(NAME, json!({"spec": {"suspend": true, "onSourceChange": "Stop"}})).await.unwrap();
        let connectors = lab.strimzi("KafkaConnector");
        until(connectors.api(), NAME, "the connector is stopped", |it| {
            it.data["status"]["connectorStatus"]["connector"]["state"] == "STOPPED"
        })
        .await
        .unwrap();
        drop_slot(&lab).await;
        lab.sql("DELETE FROM users WHERE id % 3 = 0; UPDATE products SET stock = stock + 1").await;
        let message = until_source(&lab, "SlotLost").await;
        assert!(message.contains("tributary.dev/resync"), "{message}");
        let wish = format!("{}=1", TABLES.join(","));
        let wish = json!({"annotations": {"tributary.dev/resync": wish}});
        lab.patch(NAME, json!({"metadata": wish, "spec": {"suspend": false}})).await.unwrap();
        is_right_again(&lab).await;
    })
    .await;
}

/// Waits until the connector is noted to read a stream: what is gone later was there.
async fn until_noted(lab: &Lab) {
    let noted = |it: &kube::api::DynamicObject| {
        it.metadata.annotations.as_ref().is_some_and(|all| all.contains_key("tributary.dev/source"))
    };
    until(lab.strimzi("KafkaConnector").api(), NAME, "its stream is noted", noted).await.unwrap();
}

#[tokio::test]
async fn a_publication_that_was_dropped_while_rows_changed_is_said_and_all_tables_are_copied_anew() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        until_noted(&lab).await;
        let publication = lab.publications().await.remove(0);
        lab.sql(&format!("DROP PUBLICATION \"{publication}\"")).await;
        lab.sql("DELETE FROM users WHERE id % 3 = 0; UPDATE products SET stock = stock + 1").await;
        let message = until_source(&lab, "SlotLost").await;
        assert!(message.contains("was dropped and is there anew"), "{message}");
        is_right_again(&lab).await;
    })
    .await;
}

/// A server of its own, as if a dump of the lab's database had been restored into it some orders later.
async fn other_server(lab: &Lab, bind: IpAddr) -> (Stack, tokio_postgres::Client) {
    let stack = Stack::up(StackOptions { bind, ..StackOptions::only([Part::Postgres]) }).await.unwrap();
    let server = session(&stack, "postgres").await;
    server.batch_execute(&format!("CREATE DATABASE \"{}\"", lab.namespace)).await.unwrap();
    let source = session(&stack, &lab.namespace).await;
    tributary_e2e::shop::create(&source).await.unwrap();
    tributary_e2e::shop::seed(&source, 1200).await.unwrap();
    source.batch_execute("UPDATE users SET active = NOT active WHERE id % 3 = 0").await.unwrap();
    (stack, source)
}

async fn session(stack: &Stack, database: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&stack.addresses().postgres_url(database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_server_that_took_the_place_of_another_is_said_and_all_tables_are_copied_anew() {
    in_lab(|lab| async move {
        let Ok(bind) = lab.cluster.services.postgres_host.parse() else {
            return println!("not tried: pods of this cluster reach no server that a test starts");
        };
        shop::replicated(&lab).await;
        until_noted(&lab).await;
        let (stack, source) = other_server(&lab, bind).await;
        let user = [("username", POSTGRES_USER), ("password", POSTGRES_PASSWORD)];
        lab.write_secret("shop-db", &user).await.unwrap();
        let postgres = json!({"port": stack.addresses().postgres});
        lab.patch(NAME, json!({"spec": {"source": {"postgres": postgres}}})).await.unwrap();
        let message = until_source(&lab, "SourceReplaced").await;
        assert!(message.contains("another server"), "{message}");
        lab.until_caught_up(NAME).await;
        lab.equal_to(&source, NAME, &TABLES).await;
        source.batch_execute("DELETE FROM orders WHERE id % 5 = 0; UPDATE products SET stock = 0").await.unwrap();
        println!("{}", lab.until_equal_to(&source, NAME, &TABLES).await);
        // While its server is there.
        lab.delete(NAME).await;
    })
    .await;
}
