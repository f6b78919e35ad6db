//! A topic of which only the end counts, and what is known of the other topics when a tick is confirmed.

use super::*;

const TICK: Tick = Tick { lsn: 7, ts_ms: 70 };

#[tokio::test]
async fn a_topic_is_read_from_its_last_message_on() {
    let kafka = Kafka::with_topics(&["ticks"]);
    kafka.produce("ticks", 0..5, 20);
    // The budget is for others.
    let consumer = Consumer::start(&kafka.client(), Budget::new(1)).unwrap();
    let mut ticks = consumer.subscribe_to_last("ticks");
    let Delivery::Assigned(ranges) = next(&mut ticks).await else { panic!("not assigned") };
    assert_eq!(ranges, [PartitionRange { partition: 0, next: 4, end: 5 }]);
    assert_eq!(numbers(&mut ticks, 1).await, [4]);
    kafka.produce("ticks", 5..7, 20);
    assert_eq!(numbers(&mut ticks, 2).await, [5, 6]);
}

#[tokio::test]
async fn an_empty_topic_is_read_from_its_first_message_on() {
    let kafka = Kafka::with_topics(&["ticks"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(1)).unwrap();
    let mut ticks = consumer.subscribe_to_last("ticks");
    assert!(matches!(next(&mut ticks).await, Delivery::Assigned(_)));
    kafka.produce("ticks", 0..1, 20);
    assert_eq!(numbers(&mut ticks, 1).await, [0]);
}

#[tokio::test]
async fn when_a_tick_is_confirmed_the_ends_of_the_topics_are_known_as_they_were_when_it_came() {
    let kafka = Kafka::with_topics(&["orders"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert!(matches!(next(&mut orders).await, Delivery::Assigned(_)));
    for round in 1..=5 {
        kafka.produce("orders", 0..10, 4);
        assert!(consumer.confirm(TICK).await);
        assert_eq!(consumer.end_offset("orders", 0), Some(round * 10));
    }
}

#[tokio::test]
async fn a_tick_is_not_confirmed_while_kafka_does_not_answer() {
    let kafka = Kafka::with_topics(&["orders"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert!(matches!(next(&mut orders).await, Delivery::Assigned(_)));
    kafka.cluster.broker_down(-1).unwrap();
    assert!(!timeout(PATIENCE, consumer.confirm(TICK)).await.unwrap());
}

#[tokio::test]
async fn a_table_whose_topic_is_missing_is_told_so_with_the_tick_that_says_since_when() {
    let kafka = Kafka::with_topics(&["users"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert!(matches!(next(&mut orders).await, Delivery::NoTopic(_, None)));
    assert!(consumer.confirm(TICK).await);
    let told =
        timeout(PATIENCE, async { while !matches!(next(&mut orders).await, Delivery::NoTopic(_, Some(TICK))) {} });
    told.await.unwrap();
}
