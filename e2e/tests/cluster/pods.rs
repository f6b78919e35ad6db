//! Pods that die.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use tributary_crds::CdcReplication;
use tributary_e2e::cluster::{Operator, in_lab, until};
use tributary_e2e::shop::TABLES;

use super::shop::{self, NAME};

const POD: &str = "shop-replicator-0";

#[tokio::test]
async fn a_replicator_pod_that_is_deleted_during_a_workload_loses_and_doubles_nothing() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let running = shop::work(&lab).await;
        let pods: Api<Pod> = Api::namespaced(lab.cluster.client.clone(), &lab.namespace);
        // Twice in good order, and once without a chance to say goodbye.
        for grace in [None, Some(0), None] {
            let uid = until(&pods, POD, "it runs", is_ready).await.unwrap().metadata.uid;
            let parameters = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
            pods.delete(POD, &parameters).await.unwrap();
            let another = |pod: &Pod| pod.metadata.uid != uid && is_ready(pod);
            until(&pods, POD, "another one runs", another).await.unwrap();
        }
        running.stop().await;
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[tokio::test]
async fn tables_change_hands_when_the_number_of_pods_does_and_a_workload_loses_and_doubles_nothing() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let running = shop::work(&lab).await;
        let sets: Api<StatefulSet> = Api::namespaced(lab.cluster.client.clone(), &lab.namespace);
        let two = &TABLES[..2];
        for (replicas, tables) in [(3, &TABLES[..]), (2, two)] {
            lab.apply(&lab.document(NAME, tables).with("/spec/replicator/replicas", json!(replicas))).await.unwrap();
            let divided = |set: &StatefulSet| {
                let status = set.status.as_ref();
                status.is_some_and(|it| it.replicas == replicas && it.updated_replicas == Some(replicas))
            };
            until(&sets, "shop-replicator", "the tables are divided anew", divided).await.unwrap();
            lab.until_caught_up(NAME).await;
        }
        running.stop().await;
        lab.until_equal(NAME, two).await;
        let forgotten = |resource: &CdcReplication| {
            let tables = resource.status.iter().flat_map(|status| &status.tables);
            tables.filter(|table| !two.contains(&table.name.as_str())).count() == 0
        };
        until(&lab.replications(), NAME, "the status forgets the table that was removed", forgotten).await.unwrap();
        lab.until_caught_up(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn an_operator_that_is_killed_in_the_middle_of_a_reconcile_goes_on_where_it_was() {
    in_lab(|lab| async move {
        shop::create(&lab, 500).await;
        lab.apply(&lab.document(NAME, &TABLES)).await.unwrap();
        // The first child is there, and the last one not yet.
        let operator = Operator::new(&lab.cluster.client);
        until(lab.strimzi("Kafka").api(), NAME, "the first child is there", |_| true).await.unwrap();
        operator.kill().await.unwrap();
        // And again, when the last one is.
        let sets: Api<StatefulSet> = Api::namespaced(lab.cluster.client.clone(), &lab.namespace);
        until(&sets, "shop-replicator", "the last child is there", |_| true).await.unwrap();
        operator.kill().await.unwrap();
        lab.until_caught_up(NAME).await;
        shop::until_equal(&lab).await;
    })
    .await;
}
