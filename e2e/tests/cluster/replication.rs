//! From one resource to equal tables, without another command.

use serde_json::Value;
use tributary_e2e::cluster::{Lab, Transport, in_lab};
use tributary_e2e::shop::{TABLES, Workload};

use super::shop::{self, NAME};

#[tokio::test]
async fn one_resource_makes_the_tables_equal_in_json() {
    in_lab(|lab| async move { one_resource_makes_the_tables_equal(&lab, Transport::Json).await }).await;
}

#[tokio::test]
async fn one_resource_makes_the_tables_equal_in_avro() {
    in_lab(|lab| async move { one_resource_makes_the_tables_equal(&lab, Transport::Avro).await }).await;
}

async fn one_resource_makes_the_tables_equal(lab: &Lab, transport: Transport) {
    shop::create(lab, 2000).await;
    let document = lab.document(NAME, &TABLES).transport(transport, &lab.cluster.services);
    lab.apply(&document).await.unwrap();
    lab.until_caught_up(NAME).await;
    shop::equal(lab).await;

    println!("{}", Workload::new(1, 0).run(&lab.source, 1000).await.unwrap());
    shop::until_equal(lab).await;
    let resource = lab.until_condition(NAME, "Ready", "True").await;
    let status = resource.status.unwrap();
    assert_eq!(status.tables_ready.as_deref(), Some("3/3"));
    assert_eq!(status.observed_generation, resource.metadata.generation);
    no_object_shows_the_password(lab).await;
}

/// Neither the resources that the operator made nor what Strimzi says of them.
async fn no_object_shows_the_password(lab: &Lab) {
    let secret = lab.objects("v1", "Secret").get("shop-db").await.unwrap().unwrap();
    let encoded = secret["data"]["password"].as_str().unwrap().to_owned();
    let password = decoded(&encoded);
    assert!(password.len() > 20);
    for (version, kind) in [
        ("v1", "ConfigMap"),
        ("apps/v1", "StatefulSet"),
        ("kafka.strimzi.io/v1", "KafkaConnect"),
        ("kafka.strimzi.io/v1", "KafkaConnector"),
        ("tributary.dev/v1alpha1", "CdcReplication"),
        ("v1", "Event"),
    ] {
        let objects = lab.objects(version, kind);
        for name in objects.names().await.unwrap() {
            let text = objects.get(&name).await.unwrap().unwrap_or(Value::Null).to_string();
            assert!(!text.contains(&password) && !text.contains(&encoded), "{kind} {name} shows the password");
        }
    }
}

fn decoded(text: &str) -> String {
    use base64::Engine;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}
