//! SIGTERM ends the replicator in good order and in time, whatever it is doing.

use std::time::{Duration, Instant};

use tributary_e2e::pipeline::{PipelineOptions, TableView};
use tributary_e2e::shop;
use tributary_e2e::stack::{Gate, GateMode, Part};

use crate::shared::Bench;

const USERS: &str = "public.users";

#[tokio::test]
async fn sigterm_ends_a_busy_replicator_with_status_0_and_the_next_one_goes_on() {
    let mut bench = Bench::shop(5000).await;
    bench.pipeline.start().await.unwrap();
    let workload = bench.workload(7, 150).await;
    for commits in [0, 3, 6] {
        let busy = |tables: &[TableView]| tables.iter().any(|table| table.commits > commits);
        bench.pipeline.wait_until("it has committed something", busy).await.unwrap();
        let (status, time) = bench.pipeline.terminate().await.unwrap();
        assert!(status.success() && time < Duration::from_secs(20), "{status} after {time:?}");
        println!("ended after {time:?}");
        bench.pipeline.replicate().unwrap();
    }
    workload.stop().await;
    bench.until_equal_and_applied_once().await;
}

#[tokio::test]
async fn a_commit_that_hangs_is_abandoned_in_time_and_at_once_after_a_second_sigterm() {
    let mut bench = Bench::new(&PipelineOptions::json(&[USERS]).commit_interval("200ms")).await;
    let gate = Gate::before(Part::S3, bench.pipeline.stack().addresses()).await.unwrap();
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["endpoint"] = gate.url().into());
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[USERS]).await;

    hang_in_a_commit(&bench, &gate).await;
    let (status, time) = bench.pipeline.terminate().await.unwrap();
    assert!(status.success() && time < Duration::from_secs(20), "{status} after {time:?}");
    println!("one SIGTERM: ended after {time:?}");

    gate.set(GateMode::Open);
    bench.pipeline.replicate().unwrap();
    bench.until_equal(&[USERS]).await;
    hang_in_a_commit(&bench, &gate).await;
    bench.pipeline.replicator().unwrap().terminate();
    let stopping = async || bench.pipeline.log().unwrap().matches("stopping").count() >= 2;
    bench.pipeline.wait("it says that it is stopping", stopping).await.unwrap();
    let (_, time) = bench.pipeline.terminate().await.unwrap();
    assert!(time < Duration::from_secs(2), "the second SIGTERM took {time:?}");
    println!("a second SIGTERM: ended after {time:?}");

    gate.set(GateMode::Open);
    bench.pipeline.replicate().unwrap();
    bench.until_equal(&[USERS]).await;
}

/// S3 does not answer, and a change waits for it.
async fn hang_in_a_commit(bench: &Bench, gate: &Gate) {
    gate.set(GateMode::Silent);
    bench.sql("UPDATE users SET active = NOT active").await;
    let mut since = None;
    let hangs = async || {
        let lags = bench.pipeline.tables().await.is_ok_and(|tables| tables[0].lag_messages > Some(0));
        since = if lags { since.or_else(|| Some(Instant::now())) } else { None };
        // Many times the interval after which it commits.
        since.is_some_and(|since| since.elapsed() > Duration::from_secs(2))
    };
    bench.pipeline.wait("a commit hangs", hangs).await.unwrap();
}
