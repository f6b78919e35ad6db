//! Resources that are made again with other tables, on a Kafka that remembers the first one.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tributary_e2e::cluster::{Document, Lab, in_lab, until};

use super::shop;
use crate::shared::watch::{self, Knows};

/// The resource that uses the Kafka and the Connect of `people`.
const GOODS: &str = "goods";
/// A topic of somebody else in that Kafka, under the name of ours.
const ENRICHED: &str = "enriched";

fn goods(lab: &Lab, tables: &[&str]) -> Document {
    let brokers = format!("people-kafka-bootstrap.{}.svc:9092", lab.namespace);
    let document = lab.document(GOODS, tables).with("/spec/connect", json!({"clusterName": "people"}));
    document.with("/spec/kafka", json!({"external": {"bootstrapServers": brokers}}))
}

async fn make_topic_of_others(lab: &Lab) {
    let topic = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": ENRICHED, "labels": {"strimzi.io/cluster": "people"}},
        "spec": {"topicName": format!("{}.{GOODS}.orders.enriched", lab.namespace), "partitions": 1, "replicas": 1},
    });
    let topics = lab.strimzi("KafkaTopic");
    topics.api().patch(ENRICHED, &PatchParams::apply("somebody"), &Patch::Apply(&topic)).await.unwrap();
}

/// The topic's id, once what is asked of it was done: a topic that was deleted is made again then, with another id.
async fn id_of_topic_of_others(lab: &Lab, retention: i64) -> Value {
    let topics = lab.strimzi("KafkaTopic");
    topics.merge(ENRICHED, &json!({"spec": {"config": {"retention.ms": retention}}})).await.unwrap();
    let topic = until(topics.api(), ENRICHED, "it is as it should be", |topic| {
        let status = &topic.data["status"];
        status["topicId"].is_string() && status["observedGeneration"] == json!(topic.metadata.generation)
    });
    topic.await.unwrap().data["status"]["topicId"].clone()
}

/// Cases C2 and C13, and H2.
#[tokio::test]
async fn a_resource_that_is_made_again_copies_the_table_that_it_has_more_and_leaves_topics_of_others_when_it_goes() {
    in_lab(|lab| async move {
        shop::create(&lab, 300).await;
        lab.apply(&lab.document("people", &["public.users"])).await.unwrap();
        lab.until_condition("people", "ConnectorReady", "True").await;
        make_topic_of_others(&lab).await;
        let id = id_of_topic_of_others(&lab, 1_000_000).await;
        lab.apply(&goods(&lab, &["public.products"])).await.unwrap();
        watch::until_caught_up(&lab, GOODS, &["public.products"]).await.assert_no_lie(Knows::Everything);

        lab.delete(GOODS).await;
        lab.sql("UPDATE products SET stock = stock + 1; DELETE FROM orders WHERE id % 4 = 0").await;
        let both = ["public.products", "public.orders"];
        lab.apply(&goods(&lab, &both)).await.unwrap();
        let watched = watch::until_caught_up(&lab, GOODS, &both).await;
        watched.assert_no_lie(Knows::Everything);
        assert!(watched.differed() > 0, "nothing was to be copied: {watched}");
        lab.sql("UPDATE products SET stock = stock + 1; DELETE FROM orders WHERE id % 5 = 0").await;
        lab.until_equal(GOODS, &both).await;

        lab.patch(GOODS, json!({"spec": {"deletionPolicy": "Delete"}})).await.unwrap();
        lab.until_condition(GOODS, "Ready", "True").await;
        lab.delete(GOODS).await;
        assert_eq!(id_of_topic_of_others(&lab, 2_000_000).await, id, "a topic of somebody else was deleted");
    })
    .await;
}
