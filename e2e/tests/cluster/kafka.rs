//! Kafka that restarts.

use serde_json::json;
use tributary_e2e::cluster::{in_lab, until};

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
