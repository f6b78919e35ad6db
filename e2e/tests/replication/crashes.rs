//! The replicator and Kafka Connect are killed during a workload: nothing is lost, and nothing is applied twice.

use std::sync::Arc;
use std::time::Duration;

use tributary_e2e::pipeline::{Phase, TableView};
use tributary_e2e::shop::{self, Random};
use tributary_e2e::stack::{Part, Stack, StackOptions};

use crate::shared::Bench;

const KILLS: u32 = 20;
/// Several chunks.
const ORDERS: u64 = 2_000_000;

#[tokio::test]
async fn twenty_kills_at_random_moments_of_a_workload_lose_nothing_and_double_nothing() {
    let mut bench = Bench::shop(5000).await;
    bench.pipeline.start().await.unwrap();
    let workload = bench.workload(2, 150).await;
    let mut random = Random::new(20);
    let mut committed = 0;
    for kill in 0..KILLS {
        // Every other time it gets as far as its commits; the others hit it anywhere, from the start of the process on.
        if kill % 2 == 0 {
            let commits = |tables: &[TableView]| tables.iter().any(|table| table.commits > 0);
            bench.pipeline.wait_until("something is committed", commits).await.unwrap();
            committed += 1;
        }
        tokio::time::sleep(Duration::from_millis(random.below(1500) as u64)).await;
        bench.pipeline.restart().unwrap();
    }
    println!("{}; killed {KILLS} times, {committed} times after commits", workload.stop().await);

    bench.until_equal_and_applied_once().await;
    for table in shop::TABLES {
        let version = bench.pipeline.delta_log(table).await.unwrap().version();
        // A compaction may have come after the last commit.
        let knows = |tables: &[TableView]| {
            let table = tables.iter().find(|view| view.name == table);
            table.is_some_and(|table| table.lag_messages == Some(0) && table.delta_version >= version)
        };
        bench.pipeline.wait_until("the status has the version of the log", knows).await.unwrap();
    }
}

#[tokio::test]
async fn twenty_kills_during_the_first_copy_lose_nothing_and_double_nothing_and_no_chunk_is_copied_twice() {
    let mut bench = Bench::shop(ORDERS as u32).await;
    bench.pipeline.connect().await.unwrap();
    let workload = bench.workload(11, 200).await;
    let mut random = Random::new(20);
    for _ in 0..KILLS {
        bench.pipeline.restart().unwrap();
        tokio::time::sleep(Duration::from_millis(300 + random.below(1500) as u64)).await;
    }
    bench.pipeline.restart().unwrap();
    let streaming = |tables: &[TableView]| tables.iter().all(|table| table.phase == Phase::Streaming);
    bench.pipeline.wait_until("all is copied", streaming).await.unwrap();
    let counts = workload.stop().await;
    println!("{counts}; killed {KILLS} times");
    bench.until_equal_and_applied_once().await;
    let copied = bench.pipeline.delta_log("public.orders").await.unwrap().copied_rows();
    println!("{copied} orders were copied");
    assert!(copied <= ORDERS + counts.inserts, "{copied} rows were copied");
}

#[tokio::test]
async fn kafka_connect_killed_during_a_workload_loses_nothing_and_doubles_nothing() {
    // Its own: the connectors of other tests must live.
    let stack = Arc::new(Stack::up(StackOptions::default().without(Part::Registry)).await.unwrap());
    let mut bench = Bench::shop_on(&stack, 1000).await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let workload = bench.workload(9, 100).await;
    for _ in 0..3 {
        let before = bench.pipeline.table("public.orders").await.unwrap().commits;
        let goes_on =
            |tables: &[TableView]| tables.iter().any(|table| table.name == "public.orders" && table.commits > before);
        bench.pipeline.wait_until("orders are committed", goes_on).await.unwrap();
        // What Connect has sent since it last wrote down how far it is comes again.
        stack.restart(Part::Connect).await.unwrap();
    }
    println!("{}", workload.stop().await);
    bench.until_equal_and_applied_once().await;
}
