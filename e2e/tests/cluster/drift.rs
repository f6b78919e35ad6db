//! Children that somebody edits or deletes by hand.

use serde_json::{Value, json};
use tributary_e2e::cluster::{in_lab, until};

use super::shop::{self, NAME};

#[tokio::test]
async fn children_that_are_edited_or_deleted_by_hand_come_back_and_fields_of_others_stay() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;

        let sets = lab.objects("apps/v1", "StatefulSet");
        sets.merge("shop-replicator", &json!({"spec": {"replicas": 0}, "metadata": {"labels": {"team": "lake"}}}))
            .await
            .unwrap();
        let set =
            until(sets.api(), "shop-replicator", "it has its replica again", |set| set.data["spec"]["replicas"] == 1);
        let labels = set.await.unwrap().metadata.labels.unwrap();
        assert_eq!(labels.get("team").map(String::as_str), Some("lake"), "a label that is not ours was removed");

        let maps = lab.objects("v1", "ConfigMap");
        let document = maps.get("shop-replicator").await.unwrap().unwrap()["data"].clone();
        maps.merge("shop-replicator", &json!({"data": {"replication.yaml": "nonsense"}})).await.unwrap();
        until(maps.api(), "shop-replicator", "it is whole again", |map| map.data["data"] == document).await.unwrap();

        let connectors = lab.strimzi("KafkaConnector");
        connectors
            .merge(NAME, &json!({"spec": {"config": {"snapshot.mode": "never"}, "state": "paused"}}))
            .await
            .unwrap();
        let is_right =
            |data: &Value| data["spec"]["config"]["snapshot.mode"] == "no_data" && data["spec"]["state"] == "running";
        until(connectors.api(), NAME, "its configuration is ours again", |it| is_right(&it.data)).await.unwrap();

        for (version, kind) in [
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("apps/v1", "StatefulSet"),
            ("policy/v1", "PodDisruptionBudget"),
            ("rbac.authorization.k8s.io/v1", "Role"),
        ] {
            let objects = lab.objects(version, kind);
            let uid = objects.get("shop-replicator").await.unwrap().unwrap()["metadata"]["uid"].clone();
            objects.delete("shop-replicator").await.unwrap();
            let is_another = |it: &kube::core::DynamicObject| json!(it.metadata.uid) != uid;
            until(objects.api(), "shop-replicator", &format!("{kind} is there again"), is_another).await.unwrap();
        }
        lab.until_caught_up(NAME).await;
        lab.sql("UPDATE users SET active = NOT active").await;
        shop::until_equal(&lab).await;
    })
    .await;
}
