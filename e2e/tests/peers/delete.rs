//! Spark deletes rows of a table that is written: the table stops, says who it was and how to undo it, and that advice works.

use tributary_e2e::pipeline::{Phase, TableView};
use tributary_e2e::shop::{self, Workload};

use super::log::versions_by;
use super::spark::{self, Spark};
use crate::shared::Bench;

const USERS: &str = "public.users";
const OTHERS: [&str; 2] = ["public.orders", "public.products"];

#[tokio::test]
#[ignore = "needs Spark: make peers"]
async fn a_delete_by_spark_stops_that_table_alone_and_a_restore_makes_it_equal_again() {
    let mut bench = Bench::shop_on_disk(1000).await;
    bench.pipeline.start().await.unwrap();
    let mut workload = Workload::new(11, 0);
    workload.run(bench.pipeline.source(), 300).await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let mut spark = Spark::start().await;
    let table = spark::name(&bench.pipeline.location(USERS).unwrap());
    spark.land(&format!("DELETE FROM {table} WHERE id % 2 = 0")).await;

    workload.run(bench.pipeline.source(), 300).await.unwrap();
    let undo = until_it_stops(&bench).await;
    bench.until_equal(&OTHERS).await;
    // A new process does not look away from it, nor does the table when it is started again.
    bench.pipeline.restart().unwrap();
    workload.run(bench.pipeline.source(), 300).await.unwrap();
    assert_eq!(until_it_stops(&bench).await, undo);
    bench.until_equal(&OTHERS).await;

    spark.land(&undo.replace('…', &table)).await;
    bench.pipeline.restart_table(USERS).await.unwrap();
    workload.run(bench.pipeline.source(), 300).await.unwrap();
    bench.until_equal_and_applied_once().await;
    let all_stream = |tables: &[TableView]| tables.iter().all(|table| table.phase == Phase::Streaming);
    bench.pipeline.wait_until("all tables are followed", all_stream).await.unwrap();
    let log = bench.pipeline.delta_log(USERS).await.unwrap();
    let by_spark = ["DELETE", "RESTORE"].map(|operation| versions_by(&log, operation, spark::ENGINE).len());
    assert_eq!(by_spark, [1, 1]);
}

/// The statement with which its message says to undo what Spark did; `…` stands for the table.
async fn until_it_stops(bench: &Bench) -> String {
    let who = format!("changed rows: DELETE by {}", spark::ENGINE);
    let view = bench.pipeline.until_message(USERS, &who).await.unwrap();
    assert_eq!(view.phase, Phase::Stopped);
    let message = view.message.unwrap();
    println!("{message}");
    let (_, advice) = message.split_once("Undo it (").expect(&message);
    advice.split_once(')').expect(&message).0.to_owned()
}
