//! Back-pressure: a backlog that is much larger than the memory for it, and a first copy that is.

use std::time::{Duration, Instant};

use serde_json::json;
use tributary_e2e::pipeline::PipelineOptions;

use crate::shared::Bench;

const WIDE: &str = "public.wide";
const ROWS: i64 = 100_000;
const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn a_backlog_of_wide_events_does_not_make_memory_grow() {
    let mut bench = Bench::new(&PipelineOptions::json(&[WIDE])).await;
    bench.pipeline.edit(|document| document["spec"]["replicator"]["memory"] = "32Mi".into());
    let names: Vec<String> = (1..=20).map(|number| format!("column_{number}")).collect();
    bench.sql(&format!("CREATE TABLE wide (id bigint PRIMARY KEY, {} text)", names.join(" text, "))).await;
    bench.pipeline.start().await.unwrap();
    bench.pipeline.wait_until("the empty table is copied", |tables| tables[0].rows == Some(0)).await.unwrap();
    bench.pipeline.kill_9();
    let values: Vec<String> = (1..=20).map(|number| format!("repeat(md5((n * {number})::text), 3)")).collect();
    bench.sql(&format!("INSERT INTO wide SELECT n, {} FROM generate_series(1, {ROWS}) AS n", values.join(", "))).await;
    let topic = bench.pipeline.topic(WIDE).unwrap();
    let full = async || bench.pipeline.stack().end_offset(&topic).await.is_ok_and(|end| end == ROWS);
    bench.pipeline.wait("the rows are in Kafka", full).await.unwrap();

    let start = Instant::now();
    bench.pipeline.replicate().unwrap();
    bench.pipeline.wait_until("all is applied", |tables| tables[0].rows == Some(ROWS as u64)).await.unwrap();
    let received = received_bytes(&bench.pipeline.metrics().await.unwrap());
    let peak = bench.pipeline.replicator().unwrap().peak_memory().unwrap();
    println!("{} MiB of events in {:?}, peak memory {} MiB", received / MIB, start.elapsed(), peak / MIB);
    assert!(received > 400 * MIB, "the backlog was too small to show anything: {received} bytes");
    assert!(peak < 320 * MIB, "peak memory was {} MiB", peak / MIB);
    bench.until_equal(&[WIDE]).await;
}

#[tokio::test]
async fn a_first_copy_of_wide_rows_does_not_make_memory_grow() {
    const FILES: &str = "public.files";
    let mut bench = Bench::new(&PipelineOptions::json(&[FILES])).await;
    bench.pipeline.edit(|document| document["spec"]["replicator"]["memory"] = "16Mi".into());
    // 100 kB that do not compress, in each of 4000 rows: 400 MB.
    bench
        .sql(
            "CREATE TABLE files (id bigint PRIMARY KEY, body bytea);
             ALTER TABLE files ALTER body SET STORAGE EXTERNAL;
             CREATE TABLE bodies AS SELECT n, (SELECT decode(string_agg(md5(n || '/' || part), ''), 'hex')
                 FROM generate_series(1, 6250) AS part) AS body FROM generate_series(0, 49) AS n;
             INSERT INTO files SELECT id, body FROM generate_series(1, 4000) AS id JOIN bodies ON n = id % 50",
        )
        .await;
    bench.pipeline.start().await.unwrap();
    bench.pipeline.wait_until("all rows are there", |tables| tables[0].rows == Some(4000)).await.unwrap();
    let peak = bench.pipeline.replicator().unwrap().peak_memory().unwrap();
    println!("peak memory {} MiB", peak / MIB);
    assert!(peak < 100 * MIB, "peak memory was {} MiB", peak / MIB);
    bench.until_equal(&[FILES]).await;
}

#[tokio::test]
async fn a_first_copy_keeps_to_its_rate_and_to_transactions_that_are_short_at_it() {
    let mut bench = Bench::new(&PipelineOptions::json(&[WIDE])).await;
    bench.sql("CREATE TABLE wide (id bigint PRIMARY KEY, text text)").await;
    bench.sql("INSERT INTO wide SELECT n, repeat('x', 1000) FROM generate_series(1, 10000) AS n").await;
    bench.pipeline.edit(|document| document["spec"]["replicator"]["copy"] = json!({ "maxBytesPerSecond": "2Mi" }));
    let start = Instant::now();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[WIDE]).await;
    let took = start.elapsed();
    // Batches of the last quarter of a second are not waited for.
    assert!(took > Duration::from_secs(4), "10 MB at 2 MiB a second took {took:?}");
    let log = bench.pipeline.delta_log(WIDE).await.unwrap();
    let is_chunk = |info: &serde_json::Value| info["operation"] == "WRITE";
    let chunks = log.commits.iter().filter(|commit| commit.all("commitInfo").any(is_chunk)).count();
    assert!(chunks > 4, "{chunks} transactions have read the rows");
}

fn received_bytes(metrics: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with("tributary_received_bytes_total{"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(metrics)
}
