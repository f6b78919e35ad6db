//! Two replicators write the same tables: one of them is refused, and the tables stay right.

use tributary_e2e::pipeline::{Phase, TableView};
use tributary_e2e::shop;

use crate::shared::Bench;

#[tokio::test]
async fn a_second_writer_is_refused_and_says_so_while_the_first_goes_on() {
    let mut bench = Bench::shop(1000).await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let workload = bench.workload(5, 100).await;
    let follows = |tables: &[TableView]| tables.iter().all(|table| table.position.is_some());
    bench.pipeline.wait_until("the first one follows all tables", follows).await.unwrap();

    // The slower of the two always comes too late.
    let second = bench.pipeline.second_replicator("3s").unwrap();
    let refused = |table: &TableView| {
        let message = table.message.as_deref().unwrap_or_default();
        table.phase == Phase::Stopped && message.contains("another replicator writes the Delta table at s3://")
    };
    let all_refused = async || second.tables().await.is_ok_and(|tables| tables.iter().all(refused));
    bench.pipeline.wait("the second writer is refused", all_refused).await.unwrap();
    for table in second.tables().await.unwrap() {
        let message = table.message.unwrap();
        assert!(message.contains("Stop one of the two, then restart the other"), "{message}");
    }
    drop(second);
    workload.stop().await;
    bench.until_equal_and_applied_once().await;
}
