//! The finalizer, and what happens when the resource goes.

use super::*;

#[tokio::test]
async fn the_policy_delete_puts_the_finalizer_before_anything_is_made() {
    let (context, asked) = context(&[], works);
    let delete = |resource: &mut Value| {
        resource["spec"]["suspend"] = json!(true);
        resource["spec"]["deletionPolicy"] = json!("Delete");
        resource["metadata"]["finalizers"] = json!(["else/where"]);
    };
    reconcile(changed(delete), context).await.unwrap();
    assert!(asked.writes()[0].ends_with("cdcreplications/shop"), "{:?}", asked.writes());
    let body = &asked.bodies(&Method::PATCH, "/cdcreplications/shop")[0];
    assert_eq!(body["metadata"]["finalizers"], json!(["else/where", "tributary.dev/cleanup"]));
    assert_eq!(body["metadata"]["resourceVersion"], "9", "somebody else's change of the list is not overwritten");
}

#[tokio::test]
async fn the_policy_retain_takes_the_finalizer_away() {
    let (context, asked) = context(&[], works);
    let retain = |resource: &mut Value| {
        resource["spec"]["suspend"] = json!(true);
        resource["metadata"]["finalizers"] = json!(["tributary.dev/cleanup", "else/where"]);
    };
    reconcile(changed(retain), context).await.unwrap();
    let body = &asked.bodies(&Method::PATCH, "/cdcreplications/shop")[0];
    assert_eq!(body["metadata"]["finalizers"], json!(["else/where"]));
}

fn deleted(resource: &mut Value) {
    resource["spec"]["deletionPolicy"] = json!("Delete");
    resource["metadata"]["finalizers"] = json!(["tributary.dev/cleanup"]);
    resource["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
}

#[tokio::test]
async fn a_deletion_stops_what_runs_before_it_drops_anything() {
    let children = [child("kafka.strimzi.io/v1", "KafkaConnector"), child("kafka.strimzi.io/v1", "Kafka")];
    let (context, asked) = context(&children, works);
    reconcile(changed(deleted), context).await.unwrap();
    let writes = asked.writes();
    assert!(writes[0].starts_with("DELETE") && writes[0].ends_with("/kafkaconnectors/shop"), "{writes:?}");
    assert_eq!(writes.len(), 2, "{writes:?}");
    let ready = asked.condition("Ready");
    assert_eq!(ready["reason"], "Deleting");
    assert!(ready["message"].as_str().unwrap().contains("KafkaConnector shop"), "{ready}");
}

#[tokio::test]
async fn a_deletion_waits_for_a_source_that_is_away_and_keeps_the_resource() {
    let (context, asked) = context(&[], works);
    reconcile(changed(deleted), context).await.unwrap();
    let ready = asked.condition("Ready");
    assert!(ready["message"].as_str().unwrap().contains("cannot drop slot and publication yet"), "{ready}");
    assert!(asked.writes().iter().all(|write| write.ends_with("/status")));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_said_and_let_go_when_it_is_deleted() {
    let (context, asked) = context(&[], works);
    let broken = |resource: &mut Value| {
        deleted(resource);
        resource["spec"]["tables"] = json!("all of them");
    };
    let error = reconcile(changed(broken), context).await.unwrap_err();
    assert_eq!(error.reason(), "Unreadable");
    assert_eq!(asked.events(), ["Warning Unreadable"]);
    assert_eq!(asked.bodies(&Method::PATCH, "/cdcreplications/shop")[0]["metadata"]["finalizers"], json!([]));
}
