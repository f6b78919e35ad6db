//! The heartbeats of a connector, and what is known of the other topics when one is told.

use super::*;

#[tokio::test]
async fn the_last_heartbeat_is_known_and_new_ones_follow() {
    let kafka = Kafka::with_topics(&["heartbeat"]);
    for ts_ms in [1000, 2000] {
        kafka.send(BaseRecord::to("heartbeat").partition(0).key("{}").payload("{}").timestamp(ts_ms));
    }
    kafka.producer.flush(PATIENCE).unwrap();
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut last = consumer.heartbeats("heartbeat");
    let first = timeout(PATIENCE, last.wait_for(Option::is_some)).await.unwrap().unwrap().unwrap();
    assert_eq!(first, Heartbeat { ts_ms: 2000 });
    kafka.send(BaseRecord::to("heartbeat").partition(0).key("{}").payload("{}").timestamp(3000));
    timeout(PATIENCE, last.wait_for(|last| *last == Some(Heartbeat { ts_ms: 3000 }))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_heartbeat_is_told_when_the_ends_of_the_topics_are_known_as_they_were_when_it_came() {
    let kafka = Kafka::with_topics(&["orders", "heartbeat"]);
    let consumer = Consumer::start(&kafka.client(), Budget::new(64 << 20)).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert!(matches!(next(&mut orders).await, Delivery::Assigned(_)));
    let mut last = consumer.heartbeats("heartbeat");
    for ts_ms in 1..=5 {
        kafka.produce("orders", 0..10, 4);
        kafka.send(BaseRecord::to("heartbeat").partition(0).key("{}").payload("{}").timestamp(ts_ms));
        timeout(PATIENCE, last.wait_for(|last| *last == Some(Heartbeat { ts_ms }))).await.unwrap().unwrap();
        assert_eq!(consumer.end_offset("orders", 0), Some(ts_ms * 10));
    }
}
