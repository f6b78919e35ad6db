//! The consumer against librdkafka's own mock brokers.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use tokio::time::timeout;

use super::*;

mod backlog;
mod ticks;

const PATIENCE: Duration = Duration::from_secs(20);

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Kafka {
    fn with_topics(topics: &[&str]) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in topics {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("batch.size", "16384")
            .set("linger.ms", "0")
            .create()
            .unwrap();
        Self { cluster, producer }
    }

    fn client(&self) -> KafkaClient {
        client(self.cluster.bootstrap_servers())
    }

    /// Writes messages whose values start with their number, `size` bytes each.
    fn produce(&self, topic: &str, numbers: std::ops::Range<usize>, size: usize) {
        for number in numbers {
            let value = format!("{number:0size$}");
            self.send(BaseRecord::to(topic).partition(0).key("key").payload(&value));
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn send(&self, mut record: BaseRecord<'_, str, str>) {
        while let Err((_, unsent)) = self.producer.send(record) {
            record = unsent;
            self.producer.poll(Duration::from_millis(10));
        }
    }
}

fn client(bootstrap_servers: String) -> KafkaClient {
    KafkaClient { bootstrap_servers, options: vec![], group_id: "tributary-test".into() }
}

/// Go on here; nothing is known of the message before.
fn from(next: i64) -> HashMap<i32, Resume> {
    HashMap::from([(0, Resume { next, last_ts_ms: None })])
}

async fn next(subscription: &mut Subscription) -> Delivery {
    timeout(PATIENCE, subscription.deliveries.recv()).await.expect("nothing was delivered").expect("the consumer ended")
}

/// Reads until `count` messages have come; their numbers.
async fn numbers(subscription: &mut Subscription, count: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        if let Delivery::Batch(batch) = next(subscription).await {
            numbers.extend((0..batch.messages.len()).map(|index| number(batch.value(index).unwrap())));
        }
    }
    numbers
}

/// A single table holds all that it may.
fn full(subscription: &Subscription, budget: &Budget) -> bool {
    subscription.share.used() > client::Sizes::of(budget.limit()).tables / 2
}

fn number(value: &[u8]) -> usize {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

async fn failure(subscription: &mut Subscription) -> ConsumeError {
    loop {
        if let Delivery::Failed(error) = next(subscription).await {
            return error;
        }
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

#[tokio::test]
async fn messages_arrive_in_order_and_new_ones_follow_quickly() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..1000, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let Delivery::Assigned(ranges) = next(&mut orders).await else { panic!("not assigned") };
    assert_eq!(ranges, [PartitionRange { partition: 0, next: 0, end: 1000 }]);
    assert_eq!(numbers(&mut orders, 1000).await, (0..1000).collect::<Vec<_>>());
    kafka.produce("orders", 1000..1001, 20);
    let produced = std::time::Instant::now();
    assert_eq!(numbers(&mut orders, 1).await, [1000]);
    assert!(produced.elapsed() < Duration::from_millis(700), "{:?}", produced.elapsed());
    until("the end is known", || consumer.end_offset("orders", 0) == Some(1001)).await;
    consumer.stop().await;
}

#[tokio::test]
async fn a_table_goes_on_at_its_next_offset() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..100, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", from(90));
    assert_eq!(numbers(&mut orders, 10).await, (90..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_table_goes_on_only_if_the_message_before_is_the_one_that_it_has_applied() {
    let kafka = Kafka::with_topics(&["orders"]);
    for (number, ts_ms) in ["0", "1", "2"].into_iter().zip([1000, 2000, 3000]) {
        kafka.send(BaseRecord::to("orders").partition(0).key("key").payload(number).timestamp(ts_ms));
    }
    kafka.producer.flush(PATIENCE).unwrap();
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let resume = |last_ts_ms| HashMap::from([(0, Resume { next: 2, last_ts_ms: Some(last_ts_ms) })]);
    let mut same = consumer.subscribe("orders", resume(2000));
    assert_eq!(numbers(&mut same, 1).await, [2]);
    let mut other = consumer.subscribe("orders", resume(1999));
    let error = failure(&mut other).await;
    assert!(matches!(error, ConsumeError::Replaced { offset: 1, .. }), "{error}");
    assert!(
        error.to_string().contains("written at 1970-01-01T00:00:01.999Z, this one at 1970-01-01T00:00:02Z"),
        "{error}"
    );
    let mut end = consumer.subscribe("orders", HashMap::from([(0, Resume { next: 3, last_ts_ms: Some(3000) })]));
    kafka.produce("orders", 3..4, 1);
    assert_eq!(numbers(&mut end, 1).await, [3]);
}

#[tokio::test]
async fn tombstones_and_both_halves_of_a_key_change_are_recognised() {
    let kafka = Kafka::with_topics(&["orders"]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "__debezium.context.task", value: Some("0") })
        .insert(Header { key: "__debezium.newkey", value: Some("{}") });
    kafka.send(BaseRecord::to("orders").partition(0).key("old").payload("0").headers(headers));
    kafka.send(BaseRecord::to("orders").partition(0).key("old"));
    let headers = OwnedHeaders::new().insert(Header { key: "__debezium.oldkey", value: Some("{}") });
    kafka.send(BaseRecord::to("orders").partition(0).key("new").payload("1").headers(headers));
    kafka.producer.flush(PATIENCE).unwrap();
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let mut seen = Vec::new();
    while seen.len() < 3 {
        if let Delivery::Batch(batch) = next(&mut orders).await {
            let messages = batch.messages.iter().enumerate();
            let seen_of = |(index, message): (usize, &RawMessage)| {
                (batch.value(index).is_some(), message.moves_key, message.moved_key)
            };
            seen.extend(messages.map(seen_of));
        }
    }
    assert_eq!(seen, [(true, true, false), (false, false, false), (true, false, true)]);
}

#[tokio::test]
async fn a_missing_topic_is_waited_for_and_read_when_it_appears() {
    let kafka = Kafka::with_topics(&["users"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let Delivery::NoTopic(words, None) = next(&mut orders).await else { panic!("does not wait") };
    assert!(words.contains("topic orders does not exist yet"), "{words}");
    kafka.cluster.create_topic("orders", 1, 1).unwrap();
    kafka.produce("orders", 0..3, 20);
    assert_eq!(numbers(&mut orders, 3).await, [0, 1, 2]);
}

#[tokio::test]
async fn brokers_that_cannot_be_reached_are_waited_for() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..3, 20);
    kafka.cluster.broker_down(-1).unwrap();
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let Delivery::Waiting(words) = next(&mut orders).await else { panic!("does not wait") };
    assert!(words.contains("Kafka"), "{words}");
    kafka.cluster.broker_up(-1).unwrap();
    assert_eq!(numbers(&mut orders, 3).await, [0, 1, 2]);
}

#[tokio::test]
async fn brokers_that_go_away_are_named_and_reading_goes_on_when_they_come_back() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..3, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert_eq!(numbers(&mut orders, 3).await, [0, 1, 2]);
    kafka.cluster.broker_down(-1).unwrap();
    let Delivery::Waiting(words) = next(&mut orders).await else { panic!("does not wait") };
    assert!(words.contains("Kafka"), "{words}");
    kafka.cluster.broker_up(-1).unwrap();
    let Delivery::Assigned(_) = next(&mut orders).await else { panic!("does not say that it goes on") };
    kafka.produce("orders", 3..4, 20);
    assert_eq!(numbers(&mut orders, 1).await, [3]);
}

#[tokio::test]
async fn a_topic_with_several_partitions_is_refused_and_says_what_to_do() {
    let kafka = Kafka::with_topics(&["users"]);
    kafka.cluster.create_topic("orders", 3, 1).unwrap();
    kafka.produce("users", 0..3, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let mut users = consumer.subscribe("users", HashMap::new());
    let error = failure(&mut orders).await;
    assert!(matches!(error, ConsumeError::Partitions { partitions: 3, .. }), "{error}");
    assert!(error.to_string().contains("topic.creation.default.partitions=1"), "{error}");
    assert_eq!(numbers(&mut users, 3).await, [0, 1, 2]);
}

#[tokio::test]
async fn the_end_of_the_threads_is_noticed() {
    let kafka = Kafka::with_topics(&["orders"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let watched = consumer.clone();
    assert!(timeout(Duration::from_millis(100), watched.ended()).await.is_err(), "they run");
    consumer.stop().await;
    timeout(PATIENCE, watched.ended()).await.expect("it is not noticed");
}

#[tokio::test]
async fn an_offset_behind_the_end_of_the_topic_fails_this_topic_alone() {
    let kafka = Kafka::with_topics(&["orders", "users"]);
    kafka.produce("orders", 0..3, 20);
    kafka.produce("users", 0..3, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", from(7));
    let mut users = consumer.subscribe("users", from(2));
    assert!(matches!(failure(&mut orders).await, ConsumeError::Recreated { resume: 7, high: 3, .. }));
    assert_eq!(numbers(&mut users, 1).await, [2]);
}

#[tokio::test]
async fn a_topic_that_lost_its_beginning_fails_for_new_tables_and_for_those_that_were_too_slow() {
    let kafka = Kafka::with_topics(&["orders"]);
    // The mock broker keeps the last 5 MiB.
    kafka.produce("orders", 0..700, 10_000);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut new = consumer.subscribe("orders", HashMap::new());
    assert!(matches!(failure(&mut new).await, ConsumeError::BeginningDeleted { low, .. } if low > 0));
    let mut slow = consumer.subscribe("orders", from(1));
    assert!(matches!(failure(&mut slow).await, ConsumeError::Overtaken { resume: 1, low, .. } if low > 1));
}

#[tokio::test]
async fn a_topic_can_be_dropped_and_read_again() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..100, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert_eq!(numbers(&mut orders, 100).await.len(), 100);
    drop(orders);
    let mut orders = consumer.subscribe("orders", from(50));
    assert_eq!(numbers(&mut orders, 50).await, (50..100).collect::<Vec<_>>());
    let mut orders = consumer.subscribe("orders", from(98));
    assert_eq!(numbers(&mut orders, 2).await, [98, 99]);
}

#[tokio::test]
async fn offsets_are_committed_for_lag_tools_before_the_consumer_ends() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..10, 20);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert_eq!(numbers(&mut orders, 10).await.len(), 10);
    consumer.commit_group_offsets("orders", HashMap::from([(0, 10)]));
    consumer.stop().await;
    assert_eq!(committed(&kafka, "orders"), rdkafka::Offset::Offset(10));
}

fn committed(kafka: &Kafka, topic: &str) -> rdkafka::Offset {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let reader: BaseConsumer = kafka.client().connection().set("group.id", "tributary-test").create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition(topic, 0);
    let offsets = reader.committed_offsets(list, PATIENCE).unwrap();
    offsets.find_partition(topic, 0).unwrap().offset()
}

#[tokio::test]
async fn stopping_does_not_wait_for_brokers_that_are_gone() {
    let kafka = Kafka::with_topics(&["orders"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    next(&mut orders).await;
    kafka.cluster.broker_down(-1).unwrap();
    consumer.commit_group_offsets("orders", HashMap::from([(0, 10)]));
    timeout(Duration::from_secs(8), consumer.stop()).await.expect("it hangs");
}

#[test]
fn settings_that_librdkafka_refuses_are_named() {
    let mut client = client("localhost:1".into());
    client.options.push(("security.protocol".into(), "TELEPATHY".into()));
    let Err(error) = Consumer::start(&client, Budget::new(1)) else { panic!("accepted") };
    assert!(error.to_string().contains("security.protocol"), "{error}");
}
