//! Kafka that restarts, and Kafka that wants to know who comes.

use serde_json::json;
use tributary_e2e::cluster::{in_lab, until};
use tributary_e2e::shop::TABLES;

use super::shop::{self, NAME};

/// What a user of Strimzi sets; it goes when the restart is done.
const ROLL: &str = "strimzi.io/manual-rolling-update";

#[tokio::test]
async fn kafka_restarts_during_a_workload_and_nothing_is_lost() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let running = shop::work(&lab).await;
        let kafkas = lab.strimzi("Kafka");
        kafkas.merge(NAME, &json!({"metadata": {"annotations": {ROLL: "true"}}})).await.unwrap();
        until(kafkas.api(), NAME, "Kafka was restarted", |it| {
            it.metadata.annotations.as_ref().is_none_or(|annotations| !annotations.contains_key(ROLL))
        })
        .await
        .unwrap();
        running.stop().await;
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn everybody_logs_in_to_kafka_with_a_password_when_that_is_asked_for() {
    replicated_as("ScramSha512").await;
}

#[tokio::test]
async fn everybody_logs_in_to_kafka_with_a_certificate_when_that_is_asked_for() {
    replicated_as("Tls").await;
}

/// Connect and the replicator have to get in.
async fn replicated_as(authentication: &'static str) {
    in_lab(|lab| async move {
        shop::create(&lab, 100).await;
        let document = |tables: &[&str]| {
            lab.document(NAME, tables).with("/spec/kafka/strimzi/authentication", json!(authentication))
        };
        lab.apply(&document(&["public.users", "public.orders"])).await.unwrap();
        lab.until_caught_up(NAME).await;
        lab.apply(&document(&TABLES)).await.unwrap();
        lab.until_caught_up(NAME).await;
        shop::equal(&lab).await;
    })
    .await;
}
