//! Resources that rest.

use serde_json::json;
use tributary_e2e::cluster::{in_lab, until};

use super::shop::{self, NAME};

#[tokio::test]
async fn a_suspended_resource_rests_and_a_resumed_one_catches_up() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        shop::until_equal(&lab).await;
        lab.patch(NAME, json!({"spec": {"suspend": true}})).await.unwrap();
        let connectors = lab.strimzi("KafkaConnector");
        let stopped = |state: &str| state == "STOPPED";
        until(connectors.api(), NAME, "the connector is stopped", |it| {
            it.data["status"]["connectorStatus"]["connector"]["state"].as_str().is_some_and(stopped)
        })
        .await
        .unwrap();
        let sets = lab.objects("apps/v1", "StatefulSet");
        until(sets.api(), "shop-replicator", "no pod is left", |it| it.data["status"]["replicas"] == 0).await.unwrap();
        let resource = lab.until_condition(NAME, "Ready", "False").await;
        let ready = resource.status.unwrap().conditions.into_iter().find(|it| it.type_ == "Ready").unwrap();
        assert_eq!(ready.reason, "Suspended");
        assert_eq!(lab.slots().await.len(), 1, "the slot must stay, or changes are lost");

        lab.sql("UPDATE users SET active = NOT active; DELETE FROM orders WHERE id % 7 = 0").await;
        lab.patch(NAME, json!({"spec": {"suspend": false}})).await.unwrap();
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn a_paused_resource_is_left_alone_while_its_pods_go_on() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let pause = |value: serde_json::Value| json!({"metadata": {"annotations": {"tributary.dev/pause-reconciliation": value}}});
        lab.patch(NAME, pause(json!("true"))).await.unwrap();
        lab.until_condition(NAME, "ReconciliationPaused", "True").await;
        let services = lab.objects("v1", "Service");
        services.delete("shop-replicator").await.unwrap();
        lab.sql("UPDATE users SET active = NOT active").await;
        // Longer than a repair takes: the change went the whole way, and the Service is still gone.
        shop::until_equal(&lab).await;
        assert!(services.get("shop-replicator").await.unwrap().is_none(), "a paused resource was repaired");

        lab.patch(NAME, pause(serde_json::Value::Null)).await.unwrap();
        until(services.api(), "shop-replicator", "the Service is there again", |_| true).await.unwrap();
        let resource = lab.until_caught_up(NAME).await;
        assert!(!resource.status.unwrap().conditions.iter().any(|it| it.type_ == "ReconciliationPaused"));
    })
    .await;
}
