//! The replicator is killed at random moments: nothing is lost, and nothing is applied twice.

use std::time::Duration;

use tributary_e2e::pipeline::{PipelineOptions, TableView};
use tributary_e2e::shop::{self, Random, Workload};

use crate::shared::Bench;

const KILLS: u32 = 20;

#[tokio::test]
async fn twenty_kills_at_random_moments_of_a_workload_lose_nothing_and_double_nothing() {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).commit_interval("200ms")).await;
    let source = bench.pipeline.session().await.unwrap();
    shop::create(&source).await.unwrap();
    shop::seed(&source, 5000).await.unwrap();
    bench.pipeline.start().await.unwrap();

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let workload =
        tokio::spawn(async move { Workload::new(2, 150).run_while(&source, |_| *stopped.borrow()).await.unwrap() });
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
    stop.send(true).unwrap();
    println!("{}; killed {KILLS} times, {committed} times after commits", workload.await.unwrap());

    bench.until_equal(&shop::TABLES).await;
    for table in shop::TABLES {
        let log = bench.pipeline.delta_log(table).await.unwrap();
        let end = log.check_offsets(&bench.pipeline.topic(table).unwrap()).unwrap();
        println!("{table}: {} offset ranges up to {end}, each applied once", log.offset_ranges().len());
        let state = bench.pipeline.table(table).await.unwrap();
        assert_eq!((state.lag_messages, state.delta_version), (Some(0), log.version()), "{state:?}");
    }
}
