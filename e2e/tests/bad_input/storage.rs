//! The storage fails for a while: commits are tried again, and the tables are equal in the end.

use serde_json::json;
use tributary_e2e::pipeline::{Phase, PipelineOptions, TableView};
use tributary_e2e::shop::{self, Workload};
use tributary_e2e::stack::{Gate, GateMode, Part};

use crate::shared::Bench;

#[tokio::test]
async fn a_storage_that_answers_503_or_nothing_for_a_while_is_tried_again_until_all_is_equal() {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).commit_interval("200ms")).await;
    let gate = Gate::before(Part::S3, bench.pipeline.stack().addresses()).await.unwrap();
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["endpoint"] = json!(gate.url()));
    let source = bench.pipeline.session().await.unwrap();
    shop::create(&source).await.unwrap();
    shop::seed(&source, 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let workload =
        tokio::spawn(async move { Workload::new(8, 100).run_while(&source, |_| *stopped.borrow()).await.unwrap() });

    for mode in [GateMode::Unavailable, GateMode::Refused, GateMode::Silent] {
        gate.set(mode);
        let retrying = |table: &TableView| table.phase == Phase::Retrying;
        let what = format!("every table is tried again while the storage is {mode:?}");
        bench.pipeline.wait_until(&what, |tables| tables.iter().all(retrying)).await.unwrap();
        println!("{mode:?}: {}", bench.pipeline.table("public.orders").await.unwrap().message.unwrap());
        gate.set(GateMode::Open);
        let streaming = |table: &TableView| table.phase == Phase::Streaming;
        let what = format!("every table goes on after the storage was {mode:?}");
        bench.pipeline.wait_until(&what, |tables| tables.iter().all(streaming)).await.unwrap();
    }
    stop.send(true).unwrap();
    workload.await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    for table in shop::TABLES {
        let log = bench.pipeline.delta_log(table).await.unwrap();
        log.check_offsets(&bench.pipeline.topic(table).unwrap()).unwrap();
    }
}
