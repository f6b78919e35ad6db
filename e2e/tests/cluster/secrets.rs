//! Secrets that change.

use serde_json::Value;
use tributary_e2e::cluster::{in_lab, until};

use super::shop::{self, NAME};

#[tokio::test]
async fn a_rotated_password_restarts_the_connector_which_goes_on_with_the_new_one() {
    in_lab(|lab| async move {
        shop::replicated(&lab).await;
        let connectors = lab.strimzi("KafkaConnector");
        let version = |connector: &Value| connector["spec"]["config"]["tributary.secrets.version"].clone();
        let before = version(&connectors.get(NAME).await.unwrap().unwrap());

        lab.rotate_password().await.unwrap();
        // Whoever still has the old password could not come back.
        let end =
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()";
        until(connectors.api(), NAME, "it is told of the new version", |it| {
            it.data["spec"]["config"]["tributary.secrets.version"] != before
        })
        .await
        .unwrap();
        lab.administrator().await.unwrap().batch_execute(end).await.unwrap();
        lab.sql("UPDATE orders SET status = 'paid' WHERE id % 3 = 0").await;
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named_and_waited_for() {
    in_lab(|lab| async move {
        shop::create(&lab, 200).await;
        let document = lab
            .document(NAME, &["public.users"])
            .with("/spec/source/postgres/credentials", serde_json::json!({"secretName": "later"}));
        lab.apply(&document).await.unwrap();
        let resource = lab.until_condition(NAME, "Ready", "False").await;
        let message =
            resource.status.unwrap().conditions.iter().find(|it| it.type_ == "Ready").unwrap().message.clone();
        assert!(message.contains("later"), "{message}");

        let secret = lab.objects("v1", "Secret").get("shop-db").await.unwrap().unwrap();
        let value = |key: &str| {
            use base64::Engine;
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        lab.write_secret("later", &[("username", &value("username")), ("password", &value("password"))]).await.unwrap();
        lab.until_caught_up(NAME).await;
        lab.until_equal(NAME, &["public.users"]).await;
    })
    .await;
}
