//! More messages than there is memory for.

use super::*;

#[tokio::test]
async fn retention_that_overtakes_a_table_that_waits_for_memory_is_found_and_nothing_is_skipped() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..400, 10_000);
    let budget = Budget::new(1 << 20);
    let consumer = Consumer::start(&kafka.client(), budget.clone()).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    until("the table has filled its part", || full(&orders, &budget)).await;
    kafka.produce("orders", 400..1200, 10_000);
    let mut expected = 0;
    let error = loop {
        match next(&mut orders).await {
            Delivery::Batch(batch) => {
                assert_eq!(batch.messages[0].offset, expected);
                expected = batch.next_offset().unwrap();
                assert_eq!(batch.messages.len() as i64, expected - batch.messages[0].offset);
            }
            Delivery::Failed(error) => break error,
            _ => {}
        }
    };
    assert!(
        matches!(error, ConsumeError::Overtaken { resume, low, .. } if resume == expected && low > resume),
        "{error}"
    );
}

#[tokio::test]
async fn a_small_budget_bounds_what_is_buffered_of_a_large_backlog_and_everything_arrives() {
    let kafka = Kafka::with_topics(&["orders"]);
    kafka.produce("orders", 0..4000, 1000);
    let budget = Budget::new(512 << 10);
    let consumer = Consumer::start(&kafka.client(), budget.clone()).unwrap();
    let mut orders = consumer.subscribe("orders", HashMap::new());
    let (mut held, mut expected, mut most, mut commits) = (Vec::new(), 0, 0, 0);
    let mut heard = std::time::Instant::now();
    while expected < 4000 {
        let Ok(delivery) = timeout(Duration::from_millis(100), orders.deliveries.recv()).await else {
            // Once nothing comes any more, the table must have been asked to commit.
            if orders.share.pressed() {
                held.clear();
                commits += 1;
            }
            assert!(heard.elapsed() < PATIENCE, "at {expected} with {} of {} bytes", budget.used(), budget.limit());
            continue;
        };
        heard = std::time::Instant::now();
        most = most.max(budget.used());
        if let Some(Delivery::Batch(mut batch)) = delivery {
            batch.held.resize(batch.held.bytes());
            for index in 0..batch.messages.len() {
                assert_eq!(number(batch.value(index).unwrap()), expected);
                expected += 1;
            }
            held.push(batch);
        }
    }
    assert!(most <= budget.limit(), "{most} bytes were buffered");
    assert!(commits > 5, "{commits}");
}

#[tokio::test]
async fn a_table_that_never_reads_does_not_stop_its_neighbour() {
    let kafka = Kafka::with_topics(&["stuck", "orders"]);
    kafka.produce("stuck", 0..4000, 1000);
    kafka.produce("orders", 0..4000, 1000);
    let budget = Budget::new(512 << 10);
    let consumer = Consumer::start(&kafka.client(), budget.clone()).unwrap();
    let mut stuck = consumer.subscribe("stuck", HashMap::new());
    until("the stuck table has filled its part", || full(&stuck, &budget)).await;
    let mut orders = consumer.subscribe("orders", HashMap::new());
    assert_eq!(numbers(&mut orders, 4000).await, (0..4000).collect::<Vec<_>>());
    assert!(budget.used() <= budget.limit());
    assert_eq!(numbers(&mut stuck, 4000).await, (0..4000).collect::<Vec<_>>());
}
