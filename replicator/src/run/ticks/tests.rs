//! The ticks of a mock broker.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use tokio::time::timeout;

use super::*;
use crate::consume::{Budget, KafkaClient};

const PATIENCE: Duration = Duration::from_secs(20);

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    consumer: Consumer,
}

impl Kafka {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        let client = KafkaClient {
            bootstrap_servers: cluster.bootstrap_servers(),
            options: Vec::new(),
            group_id: "tributary-test".to_owned(),
        };
        Self { cluster, consumer: Consumer::start(&client, Budget::new(1 << 20)).unwrap() }
    }

    fn send(&self, value: &str) {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", self.cluster.bootstrap_servers()).create().unwrap();
        producer.send(BaseRecord::<str, str>::to("ticks").partition(0).payload(value)).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    fn follow(&self) -> watch::Receiver<Ticks> {
        follow(self.consumer.clone(), "ticks".to_owned(), TickDecoder::json(), Board::new(Budget::new(1)))
    }
}

fn message(prefix: &str, lsn: u64) -> String {
    format!(r#"{{"schema":{{}},"payload":{{"source":{{"lsn":{lsn},"ts_ms":70}},"message":{{"prefix":"{prefix}"}}}}}}"#)
}

async fn until(ticks: &mut watch::Receiver<Ticks>, wanted: impl FnMut(&Ticks) -> bool) -> Ticks {
    timeout(PATIENCE, ticks.wait_for(wanted)).await.expect("it never happened").unwrap().clone()
}

#[tokio::test]
async fn the_last_tick_is_known_and_later_ones_follow() {
    let kafka = Kafka::new();
    kafka.cluster.create_topic("ticks", 1, 1).unwrap();
    kafka.send(&message("tributary", 5));
    let mut ticks = kafka.follow();
    assert_eq!(*ticks.borrow(), Ticks::default(), "nothing is known before it is read");
    for lsn in 5..8 {
        let tick = Tick { lsn, ts_ms: 70 };
        let known = until(&mut ticks, |ticks| ticks.last == Some(tick)).await;
        assert_eq!(known, Ticks { last: Some(tick), absent: false, unread: None });
        kafka.send(&message("tributary", lsn + 1));
    }
}

#[tokio::test]
async fn a_connector_that_sends_none_is_told_apart_from_one_that_is_silent() {
    let kafka = Kafka::new();
    kafka.cluster.create_topic("users", 1, 1).unwrap();
    let mut ticks = kafka.follow();
    until(&mut ticks, |ticks| ticks.absent).await;
    kafka.cluster.create_topic("ticks", 1, 1).unwrap();
    until(&mut ticks, |ticks| !ticks.absent).await;
    kafka.send(&message("orders", 1));
    until(&mut ticks, |ticks| ticks.absent).await;
    kafka.send(&message("tributary", 2));
    until(&mut ticks, |ticks| ticks.last.is_some()).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_told_and_the_next_tick_ends_that() {
    let kafka = Kafka::new();
    kafka.cluster.create_topic("ticks", 1, 1).unwrap();
    kafka.send("no JSON");
    let mut ticks = kafka.follow();
    let told = until(&mut ticks, |ticks| ticks.unread.is_some()).await;
    assert!(told.unread.unwrap().contains("not JSON") && !told.absent);
    kafka.send(&message("tributary", 2));
    let known = until(&mut ticks, |ticks| ticks.last.is_some()).await;
    assert_eq!(known.unread, None);
}
