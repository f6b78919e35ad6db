//! Resources side by side.

use serde_json::json;
use tributary_e2e::cluster::in_lab;

use super::shop;

#[tokio::test]
async fn two_resources_in_one_namespace_do_not_disturb_each_other() {
    in_lab(|lab| async move {
        shop::create(&lab, 300).await;
        let (people, goods) = (["public.users"], ["public.products", "public.orders"]);
        lab.apply(&lab.document("people", &people)).await.unwrap();
        lab.apply(&lab.document("goods", &goods)).await.unwrap();
        lab.until_caught_up("people").await;
        lab.until_caught_up("goods").await;
        assert_eq!(lab.slots().await.len(), 2);

        lab.delete("people").await;
        lab.sql("UPDATE products SET stock = stock + 1; DELETE FROM orders WHERE id % 4 = 0").await;
        lab.until_equal("goods", &goods).await;
        lab.until_caught_up("goods").await;
    })
    .await;
}

#[tokio::test]
async fn a_resource_uses_the_kafka_and_the_connect_of_another_one_which_forget_it_when_it_is_deleted() {
    in_lab(|lab| async move {
        shop::create(&lab, 300).await;
        let (people, goods) = (["public.users"], ["public.products", "public.orders"]);
        lab.apply(&lab.document("people", &people)).await.unwrap();
        lab.until_condition("people", "ConnectorReady", "True").await;
        let brokers = format!("people-kafka-bootstrap.{}.svc:9092", lab.namespace);
        let document = lab
            .document("goods", &goods)
            .with("/spec/kafka", json!({"external": {"bootstrapServers": brokers}}))
            .with("/spec/connect", json!({"clusterName": "people"}))
            .with("/spec/deletionPolicy", json!("Delete"));
        lab.apply(&document).await.unwrap();
        lab.until_caught_up("goods").await;
        lab.equal("goods", &goods).await;
        assert_eq!(lab.strimzi("KafkaConnect").names().await.unwrap(), ["people"]);

        lab.delete("goods").await;
        assert_eq!((lab.slots().await.len(), lab.publications().await.len()), (1, 1));
        lab.sql("DELETE FROM orders WHERE id % 4 = 0; UPDATE products SET stock = stock + 1").await;
        // Had Connect kept the positions of the first one, this one would not copy anything.
        let elsewhere = document.with("/spec/destination/uri", json!(format!("s3://lake/{}/anew", lab.namespace)));
        lab.apply(&elsewhere).await.unwrap();
        lab.until_caught_up("goods").await;
        lab.equal("anew", &goods).await;

        lab.sql("UPDATE users SET active = NOT active").await;
        lab.until_equal("people", &people).await;
    })
    .await;
}

#[tokio::test]
async fn the_same_name_in_two_namespaces_is_two_replications() {
    in_lab(|one| async move {
        in_lab(|other| async move {
            for lab in [&one, &other] {
                shop::create(lab, 300).await;
                lab.apply(&lab.document(shop::NAME, &["public.users"])).await.unwrap();
            }
            one.until_caught_up(shop::NAME).await;
            other.until_caught_up(shop::NAME).await;
            one.sql("UPDATE users SET name = 'one ' || id").await;
            other.sql("UPDATE users SET name = 'other ' || id").await;
            one.until_equal(shop::NAME, &["public.users"]).await;
            other.until_equal(shop::NAME, &["public.users"]).await;
            one.patch(shop::NAME, json!({"spec": {"deletionPolicy": "Delete"}})).await.unwrap();
            one.until_condition(shop::NAME, "Ready", "True").await;
            one.delete(shop::NAME).await;
            other.sql("DELETE FROM users WHERE id % 2 = 0").await;
            other.until_equal(shop::NAME, &["public.users"]).await;
        })
        .await;
    })
    .await;
}
