//! The storage fails for a while: commits are tried again, and the tables are equal in the end.

use serde_json::json;
use tributary_e2e::pipeline::{Phase, TableView};
use tributary_e2e::shop;
use tributary_e2e::stack::{Gate, GateMode, Part};

use crate::shared::Bench;

#[tokio::test]
async fn a_storage_that_answers_503_or_nothing_for_a_while_is_tried_again_until_all_is_equal() {
    let mut bench = Bench::shop(1000).await;
    let gate = Gate::before(Part::S3, bench.pipeline.stack().addresses()).await.unwrap();
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["endpoint"] = json!(gate.url()));
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let workload = bench.workload(8, 100).await;

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
    workload.stop().await;
    bench.until_equal_and_applied_once().await;
}
