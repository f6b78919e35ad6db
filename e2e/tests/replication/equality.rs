//! Snapshot and workload, in both formats: every table equals its source, row by row.

use tributary_e2e::pipeline::{EventFormat, Phase, PipelineOptions};
use tributary_e2e::shop::{self, Workload};
use tributary_e2e::types_table;

use crate::shared::Bench;

#[tokio::test]
async fn every_table_equals_its_source_after_snapshot_and_workload_in_json() {
    equal_after_snapshot_and_workload(EventFormat::Json).await;
}

#[tokio::test]
async fn every_table_equals_its_source_after_snapshot_and_workload_in_avro() {
    equal_after_snapshot_and_workload(EventFormat::Avro).await;
}

async fn equal_after_snapshot_and_workload(format: EventFormat) {
    // Apicurio's Avro converter writes the default in place of NULL, which `/tables` warns of (see `bad_input`).
    let defaults: &[&str] = if format == EventFormat::Json { &[types_table::DEFAULTS] } else { &[] };
    let tables = [&shop::TABLES[..], &[shop::CARTS], &types_table::TABLES, defaults].concat();
    let mut bench = Bench::new(&PipelineOptions::json(&tables).format(format)).await;
    create(&bench).await;
    bench.pipeline.start().await.unwrap();

    // Some changes come while the snapshot is read, the others after it.
    let mut workload = Workload::new(1, 0).with_carts();
    let mut counts = workload.run(bench.pipeline.source(), 500).await.unwrap();
    let streaming = |tables: &[_]| tables.iter().all(|table: &tributary_e2e::pipeline::TableView| table.rows.is_some());
    bench.pipeline.wait_until("every table has rows", streaming).await.unwrap();
    counts += workload.run(bench.pipeline.source(), 2500).await.unwrap();
    types_table::change(bench.pipeline.source()).await.unwrap();
    println!("{counts}");
    let kinds =
        [counts.inserts, counts.updates, counts.deletes, counts.key_changes, counts.truncates, counts.rolled_back];
    assert!(kinds.iter().all(|&count| count > 0), "{counts}");

    bench.until_equal(&tables).await;
    let states = bench.pipeline.tables().await.unwrap();
    assert_eq!(states.len(), tables.len());
    assert!(states.iter().all(|table| table.phase == Phase::Streaming && table.message.is_none()), "{states:?}");
    let (ready, text) = bench.pipeline.ready().await.unwrap();
    assert!(ready, "{text}");
}

async fn create(bench: &Bench) {
    let source = bench.pipeline.source();
    shop::create(source).await.unwrap();
    shop::create_carts(source).await.unwrap();
    shop::seed(source, 5000).await.unwrap();
    types_table::create(source).await.unwrap();
    types_table::seed(source).await.unwrap();
}
