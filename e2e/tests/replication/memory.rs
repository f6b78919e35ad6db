//! Back-pressure: a backlog that is much larger than the memory for it.

use std::time::Instant;

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

fn received_bytes(metrics: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with("tributary_received_bytes_total{"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(metrics)
}
