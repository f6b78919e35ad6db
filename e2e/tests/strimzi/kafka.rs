//! Kafka and its topics.

use serde_json::{Value, json};
use tributary_e2e::strimzi::kill_kafka;

use super::need_a_node;
use super::playground::{NAMESPACE, Playground, kafka, topic};

#[tokio::test]
async fn a_kafka_runs_keeps_its_topics_over_a_kill_and_a_new_stand_in_and_goes_with_its_resource() {
    need_a_node!();
    let mut playground = Playground::new().await;
    playground.kafka().await;
    let kafka = playground.until_ready("Kafka", "ev").await;
    assert_eq!(kafka["status"]["listeners"][0]["bootstrapServers"], "ev-kafka-bootstrap.lake.svc:9092");
    assert_eq!(kafka["status"]["kafkaNodePools"], json!([{"name": "dual"}]));
    let pool = playground.get("KafkaNodePool", "dual").await.unwrap();
    assert_eq!(pool["status"]["nodeIds"], json!([0]));

    a_topic_is_made_and_what_cannot_be_is_refused(&playground).await;
    a_kafka_that_is_refused_keeps_running(&playground).await;

    let before = playground.until_ready("KafkaTopic", "orders").await;
    assert_eq!(kill_kafka(playground.folder.path(), NAMESPACE, "ev"), 1);
    playground.apply(topic("after", "after", 1)).await;
    playground.until_ready("KafkaTopic", "after").await;
    playground.strimzi.take().unwrap().stop().await;
    assert_eq!(kill_kafka(playground.folder.path(), NAMESPACE, "ev"), 0, "the broker outlived its stand-in");
    playground.start().await;
    playground.apply(topic("later", "later", 1)).await;
    playground.until_ready("KafkaTopic", "later").await;
    let after = playground.until_ready("KafkaTopic", "orders").await;
    assert_eq!(before["status"]["topicId"], after["status"]["topicId"]);

    for topic in ["orders", "rf3", "bad", "after", "later", "twin"] {
        playground.delete("KafkaTopic", topic).await;
        playground.until_gone("KafkaTopic", topic).await;
    }
    playground.delete("Kafka", "ev").await;
    playground.until("Kafka", "ev", |_| playground.kept().is_empty()).await;
    assert_eq!(kill_kafka(playground.folder.path(), NAMESPACE, "ev"), 0);
}

async fn a_topic_is_made_and_what_cannot_be_is_refused(playground: &Playground) {
    playground.apply(topic("orders", "orders", 3)).await;
    let orders = playground.until_ready("KafkaTopic", "orders").await;
    assert_eq!(orders["metadata"]["finalizers"], json!(["strimzi.io/topic-operator"]));
    assert_eq!(orders["status"]["topicId"].as_str().unwrap().len(), 22);

    playground.apply(topic("orders", "orders", 1)).await;
    let message = playground.until_refused("KafkaTopic", "orders", "NotSupported").await;
    assert_eq!(message, "Decreasing partitions not supported");
    playground.apply(topic("orders", "orders", 4)).await;
    playground.until_ready("KafkaTopic", "orders").await;

    playground.apply(topic("twin", "orders", 4)).await;
    let message = playground.until_refused("KafkaTopic", "twin", "ResourceConflict").await;
    assert_eq!(message, "Managed by Ref{namespace='lake', name='orders'}");

    let with = |name: &str, field: &str, value: Value| {
        let mut topic = topic(name, name, 1);
        topic["spec"][field] = value;
        topic
    };
    playground.apply(with("rf3", "replicas", json!(3))).await;
    let message = playground.until_refused("KafkaTopic", "rf3", "KafkaError").await;
    assert!(
        message.contains("InvalidReplicationFactorException: Unable to replicate the partition 3 time(s)"),
        "{message}"
    );
    playground.apply(with("bad", "config", json!({"cleanup.policy": "nonsense"}))).await;
    let message = playground.until_refused("KafkaTopic", "bad", "KafkaError").await;
    assert!(message.contains("InvalidConfigurationException"), "{message}");
}

async fn a_kafka_that_is_refused_keeps_running(playground: &Playground) {
    playground.apply(kafka(json!({"default.replication.factor": 3}))).await;
    let message = playground.until_refused("Kafka", "ev", "InvalidResourceException").await;
    assert!(
        message.starts_with("Kafka configuration option 'default.replication.factor' should be set to 1"),
        "{message}"
    );
    playground.apply(topic("meanwhile", "meanwhile", 1)).await;
    playground.until_ready("KafkaTopic", "meanwhile").await;
    playground.delete("KafkaTopic", "meanwhile").await;
    playground.until_gone("KafkaTopic", "meanwhile").await;
    playground.apply(kafka(json!({"log.retention.hours": 1}))).await;
    playground.until_ready("Kafka", "ev").await;
}
