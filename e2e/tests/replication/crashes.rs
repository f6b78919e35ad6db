//! The replicator and Kafka Connect are killed during a workload: nothing is lost, and nothing is applied twice.

mod open_transactions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tributary_e2e::pipeline::{Commit, DeltaLog, Phase, PipelineOptions, TableView};
use tributary_e2e::shop::{self, Counts, Random};
use tributary_e2e::stack::{Part, Stack, StackOptions, Standby};

use crate::shared::Bench;

const KILLS: u32 = 20;
const ORDERS_TABLE: &str = "public.orders";
/// At the rate at which they are read, a minute of copying together.
const ORDERS: i64 = 500_000;
const CARTS: i64 = 400_000;
/// That change the shop at the same time: each waits for the standby most of the time.
const SESSIONS: u64 = 16;
/// From a commit's place in the log to where a snapshot sees it.
const DELAY: Duration = Duration::from_millis(300);

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
    // Its own: all commits of the server wait for the standby. It outlives the pipeline, which drops its database in the end.
    let stack = Arc::new(Stack::up(StackOptions::default().without(Part::Registry)).await.unwrap());
    let standby = Standby::synchronous(&stack, DELAY).await.unwrap();
    let mut bench = shop_with_carts(&stack).await;
    assert_eq!(standby.sync_state().await.unwrap(), "sync");
    assert!(commit(&bench).await >= DELAY, "a commit has not waited for the standby");
    bench.pipeline.connect().await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let session = bench.pipeline.session().await.unwrap();
    let open = tokio::spawn(open_transactions::run(session, ORDERS, move || *stopped.borrow()));
    let mut workloads = Vec::new();
    for seed in 0..SESSIONS {
        workloads.push(bench.workload(seed, 50).await);
    }

    let (mut random, mut truncates) = (Random::new(20), 0);
    bench.pipeline.replicate().unwrap();
    for kill in 0..KILLS {
        // Every other time a chunk gets as far as its commit; the others hit it anywhere.
        if kill % 2 == 0 {
            let before = copied_rows(&bench, ORDERS_TABLE).await;
            let goes_on = async || copied_rows(&bench, ORDERS_TABLE).await > before;
            bench.pipeline.wait("one more chunk is committed", goes_on).await.unwrap();
        }
        let carts = copied_rows(&bench, shop::CARTS).await;
        if truncates > 0 || (1..CARTS).contains(&carts) {
            bench.sql(&format!("TRUNCATE carts; {}", carts_of(1000))).await;
            truncates += 1;
        }
        tokio::time::sleep(Duration::from_millis(random.below(1500) as u64)).await;
        bench.pipeline.restart().unwrap();
    }
    let copied = copied_rows(&bench, ORDERS_TABLE).await;
    assert!((1..ORDERS).contains(&copied), "{copied} orders were copied when the last process was killed");
    assert!(truncates > 0, "no table was truncated while it was copied");
    let streaming = |tables: &[TableView]| tables.iter().all(|table| table.phase == Phase::Streaming);
    bench.pipeline.wait_until("all is copied", streaming).await.unwrap();
    stop.send(true).unwrap();
    let open = open.await.unwrap().unwrap();
    let mut counts = Counts::default();
    for workload in workloads {
        counts += workload.stop().await;
    }
    println!("{counts}; {open} that stayed open; killed {KILLS} times, {truncates} truncates");
    assert!(open > 0 && counts.key_changes > 0, "the workload was none");
    assert_eq!(standby.sync_state().await.unwrap(), "sync");
    bench.until_equal_and_applied_once().await;
    bench.until_equal(&[shop::CARTS]).await;
    let chunks = chunks(&bench.pipeline.delta_log(ORDERS_TABLE).await.unwrap());
    println!("the orders were copied in {} chunks", chunks.len());
    assert!(chunks.len() > 20, "{chunks:?}");
    let twice = chunks.windows(2).find(|pair| pair[0].1 >= pair[1].0);
    assert_eq!(twice, None, "these two chunks have rows in common");
}

/// A shop whose tables are copied so slowly that it can be killed often.
async fn shop_with_carts(stack: &Arc<Stack>) -> Bench {
    let tables: Vec<&str> = shop::TABLES.into_iter().chain([shop::CARTS]).collect();
    let mut bench = Bench::on(stack, &PipelineOptions::json(&tables).commit_interval("200ms")).await;
    bench.pipeline.edit(|document| document["spec"]["replicator"]["copy"] = json!({ "maxBytesPerSecond": "3Mi" }));
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), ORDERS as u32).await.unwrap();
    shop::create_carts(bench.pipeline.source()).await.unwrap();
    bench.sql(&carts_of(CARTS)).await;
    bench
}

fn carts_of(rows: i64) -> String {
    format!(
        "INSERT INTO carts (user_id, content, changed_at)
         SELECT n, jsonb_build_object('items', n), now() FROM generate_series(1, {rows}) AS n"
    )
}

/// How long a commit takes.
async fn commit(bench: &Bench) -> Duration {
    let session = bench.pipeline.session().await.unwrap();
    let start = Instant::now();
    session.batch_execute("UPDATE products SET stock = stock + 1").await.unwrap();
    start.elapsed()
}

async fn copied_rows(bench: &Bench, table: &str) -> i64 {
    bench.pipeline.delta_log(table).await.unwrap().copied_rows() as i64
}

/// The smallest and the largest key of each chunk that was copied, ascending.
fn chunks(log: &DeltaLog) -> Vec<(i64, i64)> {
    let is_copied = |commit: &&Commit| commit.all("commitInfo").any(|info| info["operation"] == "WRITE");
    let chunk = |commit: &Commit| {
        let stats = commit.all("add").map(|add| serde_json::from_str(add["stats"].as_str().unwrap()).unwrap());
        let stats: Vec<Value> = stats.collect();
        let keys = |bound: &'static str| stats.iter().map(move |stats| stats[bound]["id"].as_i64().unwrap());
        Some((keys("minValues").min()?, keys("maxValues").max()?))
    };
    let mut chunks: Vec<_> = log.commits.iter().filter(is_copied).filter_map(chunk).collect();
    chunks.sort_unstable();
    chunks
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
