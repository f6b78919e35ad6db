//! The operator as a whole.

use tributary_e2e::cluster::{Operator, in_lab};

use super::shop::{self, NAME};

#[tokio::test]
async fn the_operator_is_upgraded_while_a_workload_runs() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let running = shop::work(&lab).await;
        let operator = Operator::new(&lab.cluster.client);
        let before = operator.pods().await.unwrap();
        let stamp = format!("podAnnotations.upgraded={}", lab.namespace);
        operator.upgrade(&[&stamp]).await.unwrap();
        let after = operator.pods().await.unwrap();
        assert!(before.iter().all(|pod| !after.contains(pod)), "{before:?} {after:?}");
        // The new one works: it sees a change and acts on it.
        lab.patch(NAME, serde_json::json!({"spec": {"replicator": {"commitInterval": "700ms"}}})).await.unwrap();
        lab.until_condition(NAME, "Ready", "True").await;
        running.stop().await;
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}
