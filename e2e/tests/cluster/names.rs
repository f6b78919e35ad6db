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
        // The second shares the first one's Kafka Connect cluster by name, and has a Kafka of its own nevertheless.
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
