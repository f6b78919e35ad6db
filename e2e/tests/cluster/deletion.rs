//! Resources that are deleted: what goes and what stays.

use kube::api::DeleteParams;
use serde_json::json;
use tributary_crds::CdcReplication;
use tributary_e2e::cluster::{Lab, in_lab, until, until_gone};
use tributary_e2e::shop::TABLES;

use super::shop::{self, NAME};

/// What a resource makes in its namespace and takes with it.
const CHILDREN: [(&str, &str); 8] = [
    ("apps/v1", "StatefulSet"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "ConfigMap"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("kafka.strimzi.io/v1", "KafkaConnect"),
    ("kafka.strimzi.io/v1", "KafkaConnector"),
];

#[tokio::test]
async fn a_resource_deleted_with_retain_leaves_slot_publication_and_kafka_and_its_successor_goes_on() {
    in_lab(|lab| async move {
        let document = shop::replicated(&lab).await;
        shop::until_equal(&lab).await;
        lab.delete(NAME).await;
        until_children_are_gone(&lab).await;
        assert_eq!((lab.slots().await.len(), lab.publications().await.len()), (1, 1));
        assert!(lab.strimzi("Kafka").get(NAME).await.unwrap().is_some(), "Retain keeps Kafka");
        // Somebody else's objects are none of our business.
        assert!(lab.objects("v1", "Secret").get("shop-db").await.unwrap().is_some());

        lab.sql("UPDATE users SET active = NOT active; DELETE FROM orders WHERE id % 5 = 0").await;
        lab.apply(&document).await.unwrap();
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn a_resource_deleted_with_delete_takes_slot_publication_and_kafka_and_leaves_the_tables() {
    in_lab(|lab| async move {
        shop::create(&lab, 500).await;
        lab.apply(&lab.document(NAME, &TABLES).with("/spec/deletionPolicy", json!("Delete"))).await.unwrap();
        lab.until_caught_up(NAME).await;
        shop::until_equal(&lab).await;

        lab.delete(NAME).await;
        until_children_are_gone(&lab).await;
        assert_eq!((lab.slots().await, lab.publications().await), (vec![], vec![]));
        for kind in ["KafkaTopic", "Kafka", "KafkaNodePool"] {
            assert_eq!(lab.strimzi(kind).names().await.unwrap(), Vec::<String>::new(), "{kind}");
        }
        // The tables are what it was all for.
        lab.until_equal(NAME, &TABLES).await;
    })
    .await;
}

#[tokio::test]
async fn a_resource_whose_database_is_gone_says_so_when_it_is_deleted_and_goes_with_retain() {
    in_lab(|lab| async move {
        shop::create(&lab, 100).await;
        let document = lab.document(NAME, &["public.users"]).with("/spec/deletionPolicy", json!("Delete"));
        // Nobody listens there.
        let document = document.with("/spec/source/postgres/port", json!(9));
        lab.apply(&document).await.unwrap();
        lab.until_condition(NAME, "SourceReady", "False").await;
        lab.replications().delete(NAME, &DeleteParams::default()).await.unwrap();
        let says_why = |resource: &CdcReplication| {
            let mut conditions = resource.status.iter().flat_map(|status| &status.conditions);
            conditions.any(|it| it.type_ == "Ready" && it.message.contains("cannot drop slot and publication yet"))
        };
        until(&lab.replications(), NAME, "it says what it waits for", says_why).await.unwrap();
        // It would give up by itself after some minutes. Who cannot wait says that the rest may stay.
        lab.patch(NAME, json!({"spec": {"deletionPolicy": "Retain"}})).await.unwrap();
        until_gone(&lab.replications(), NAME).await.unwrap();
        until_children_are_gone(&lab).await;
    })
    .await;
}

async fn until_children_are_gone(lab: &Lab) {
    for (version, kind) in CHILDREN {
        let objects = lab.objects(version, kind);
        for name in objects.ours().await.unwrap() {
            until_gone(objects.api(), &name).await.unwrap();
        }
    }
}
