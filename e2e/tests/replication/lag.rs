//! How far behind the tables are, by the ticks in the source's log.

use std::time::{Duration, Instant};

use tokio_postgres::types::PgLsn;
use tributary_e2e::pipeline::{EventFormat, Phase, PipelineOptions, TableView};
use tributary_e2e::shop;

use crate::shared::Bench;

const USERS: &str = "public.users";
const ORDERS: &str = "public.orders";
/// Rows that the connector is behind; a fast one sends them in a few seconds.
const BACKLOG: i64 = 400_000;
/// Ticks come every five seconds, are read at once, and are looked at every second.
const QUIET: f64 = 10.0;

async fn streaming(options: &PipelineOptions) -> Bench {
    let mut bench = Bench::new(options).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    let quiet = |table: &TableView| table.phase == Phase::Streaming && table.lag_seconds.is_some_and(|lag| lag < QUIET);
    bench.pipeline.wait_until("nothing is behind", |tables| tables.iter().all(quiet)).await.unwrap();
    bench
}

async fn lag(bench: &Bench, table: &str) -> f64 {
    bench.pipeline.table(table).await.unwrap().lag_seconds.unwrap()
}

/// Watches the lag of a table that nobody changes, for three ticks.
async fn stays_quiet(format: EventFormat) {
    let bench = streaming(&PipelineOptions::json(&[USERS]).format(format)).await;
    let version = bench.pipeline.delta_log(USERS).await.unwrap().version();
    let topic = format!("e2e.{}.message", bench.pipeline.name());
    let sent = bench.pipeline.stack().end_offset(&topic).await.unwrap();
    let mut lags = Vec::new();
    let three_more = async || {
        lags.push(lag(&bench, USERS).await);
        bench.pipeline.stack().end_offset(&topic).await.is_ok_and(|end| end >= sent + 3)
    };
    bench.pipeline.wait("three more ticks have come", three_more).await.unwrap();
    let worst = lags.iter().copied().fold(0.0, f64::max);
    println!("{format:?}: the lag was at most {worst:.1} s, {} times asked", lags.len());
    assert!(worst < QUIET, "{lags:?}");
    let table = bench.pipeline.table(USERS).await.unwrap();
    assert_eq!((table.lag_messages, table.warnings), (Some(0), Vec::new()));
    assert_eq!(bench.pipeline.delta_log(USERS).await.unwrap().version(), version, "there was nothing to commit");
    let metrics = bench.pipeline.metrics().await.unwrap();
    assert!(metrics.contains("tributary_commit_to_kafka_seconds_count"), "{metrics}");
}

#[tokio::test]
async fn a_quiet_table_has_no_commits_and_no_lag() {
    stays_quiet(EventFormat::Json).await;
}

#[tokio::test]
async fn a_quiet_table_has_no_lag_with_ticks_in_avro() {
    stays_quiet(EventFormat::Avro).await;
}

#[tokio::test]
async fn a_connector_that_stands_still_or_is_behind_shows_in_a_table_that_nobody_changes() {
    let mut bench = streaming(&PipelineOptions::json(&[USERS, ORDERS])).await;
    let before = position(&bench).await;
    bench.pipeline.stack().delete_connector(bench.pipeline.name()).await.unwrap();
    let stopped = Instant::now();
    let rows =
        format!("INSERT INTO orders (user_id, sku, amount) SELECT n, 'sku', 1 FROM generate_series(1, {BACKLOG}) n");
    bench.sql(&rows).await;
    let written = position(&bench).await - before;

    // It stands still: no tick comes, and the source is looked at every half a minute.
    let unread = |table: &TableView| table.lag_bytes.is_some_and(|bytes| bytes > written / 2);
    bench.pipeline.wait_until("the lag in bytes is known", |tables| tables.iter().all(unread)).await.unwrap();
    let still = stopped.elapsed().as_secs_f64();
    let users = bench.pipeline.table(USERS).await.unwrap();
    println!("after {still:.1} s without a connector: {users:?}");
    assert!(users.lag_seconds.unwrap() >= still - 1.0, "{users:?}");

    // A replicator that has just started knows no better.
    bench.pipeline.restart().unwrap();
    let known = |table: &TableView| table.lag_seconds.is_some();
    bench
        .pipeline
        .wait_until("the lag is known again", |tables| tables.len() == 2 && tables.iter().all(known))
        .await
        .unwrap();
    let (still, lag_of_users) = (stopped.elapsed().as_secs_f64(), lag(&bench, USERS).await);
    assert!(lag_of_users >= still - 1.0, "users are said to be {lag_of_users} s behind after {still} s");

    // It works, and is behind: as long as orders are missing, users may be.
    let (heartbeats, topic) =
        (format!("__debezium-heartbeat.e2e.{}", bench.pipeline.name()), bench.pipeline.topic(ORDERS).unwrap());
    let stack = bench.pipeline.stack().clone();
    // There may have been no time for one yet, and so no topic.
    let beats = stack.end_offset(&heartbeats).await.unwrap_or(0);
    bench.pipeline.connect().await.unwrap();
    let mut seen = Vec::new();
    loop {
        // In this order: what the lag says was known before the end of the topic was asked for.
        let (lag, beats) = (lag(&bench, USERS).await, stack.end_offset(&heartbeats).await.unwrap_or(0) - beats);
        let passed = stopped.elapsed().as_secs_f64();
        if stack.end_offset(&topic).await.unwrap_or(0) >= BACKLOG {
            break;
        }
        assert!(lag >= passed - 2.0, "users are said to be {lag} s behind {passed} s after the connector stopped");
        seen.push((beats, lag));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    println!("behind for {} looks, and {:?} at the last: (heartbeats meanwhile, lag)", seen.len(), seen.last());
    assert!(seen.last().is_some_and(|(beats, _)| *beats > 0), "the connector was never at work and behind: {seen:?}");

    let near = |table: &TableView| {
        table.lag_seconds.is_some_and(|lag| lag < QUIET) && table.lag_bytes.is_some_and(|bytes| bytes < written / 10)
    };
    bench.pipeline.wait_until("nothing is behind any more", |tables| tables.iter().all(near)).await.unwrap();
    bench.until_equal(&[USERS, ORDERS]).await;
    let metrics = bench.pipeline.metrics().await.unwrap();
    let apart = ["tributary_commit_to_kafka_seconds_sum", "tributary_kafka_to_delta_seconds_sum"];
    let apart: Vec<&str> = metrics.lines().filter(|line| apart.iter().any(|name| line.starts_with(name))).collect();
    println!("{apart:#?}");
    assert_eq!(apart.len(), 2, "users had no change: {metrics}");
}

/// Where the source's log is.
async fn position(bench: &Bench) -> u64 {
    let row = bench.pipeline.source().query_one("SELECT pg_current_wal_insert_lsn()", &[]).await.unwrap();
    row.get::<_, PgLsn>(0).into()
}
