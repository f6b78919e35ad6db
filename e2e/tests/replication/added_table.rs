//! Tables come and go while others are replicated.

use std::time::Duration;

use serde_json::{Value, json};
use tributary_crds::topic;
use tributary_e2e::pipeline::PipelineOptions;
use tributary_e2e::shop::{self, Workload};

use crate::shared::Bench;

const USERS: &str = "public.users";
const ORDERS: &str = "public.orders";
const PRODUCTS: &str = "public.products";

/// Changes the tables of the resource, as the operator does: publication first, then the replicator. The connector is not told.
async fn replicate(bench: &mut Bench, tables: &[&str]) {
    let list: Vec<Value> = tables.iter().map(|name| json!({ "name": name })).collect();
    bench.pipeline.edit(|document| document["spec"]["tables"] = list.into());
    bench.pipeline.publish().await.unwrap();
    bench.pipeline.restart().unwrap();
}

#[tokio::test]
async fn a_table_is_added_and_another_removed_during_a_workload_and_all_are_equal() {
    let mut bench = Bench::new(&PipelineOptions::json(&[ORDERS, PRODUCTS])).await;
    let writer = bench.pipeline.session().await.unwrap();
    shop::create(&writer).await.unwrap();
    shop::seed(&writer, 5000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let workload =
        tokio::spawn(async move { Workload::new(9, 100).run_while(&writer, |_| *stopped.borrow()).await.unwrap() });

    replicate(&mut bench, &shop::TABLES).await;
    let copied = |tables: &[_]| tables.iter().all(|table: &tributary_e2e::pipeline::TableView| table.rows > Some(0));
    bench.pipeline.wait_until("the added table has rows", copied).await.unwrap();
    let moved_on = bench.pipeline.delta_log(PRODUCTS).await.unwrap().version();
    let moves = async || bench.pipeline.delta_log(PRODUCTS).await.is_ok_and(|log| log.version() > moved_on);
    bench.pipeline.wait("the others go on", moves).await.unwrap();

    replicate(&mut bench, &[USERS, ORDERS]).await;
    let removed = topic::data(&bench.pipeline.resource().unwrap(), &tributary_crds::TableSpec::new(PRODUCTS));
    let before = bench.pipeline.delta_log(ORDERS).await.unwrap().version();
    let goes_on = async || bench.pipeline.delta_log(ORDERS).await.is_ok_and(|log| log.version() > before);
    bench.pipeline.wait("the tables that are left go on", goes_on).await.unwrap();
    let end = bench.pipeline.stack().end_offset(&removed).await.unwrap();
    bench
        .pipeline
        .wait("they go on further", {
            let before = bench.pipeline.delta_log(ORDERS).await.unwrap().version();
            let bench = &bench;
            async move || {
                bench
                    .pipeline
                    .delta_log(ORDERS)
                    .await
                    .is_ok_and(|log| log.version() > before.map(|version| version + 2))
            }
        })
        .await
        .unwrap();
    assert_eq!(bench.pipeline.stack().end_offset(&removed).await.unwrap(), end, "changes of a removed table are sent");

    // Back again: what changed in between, no event says.
    replicate(&mut bench, &shop::TABLES).await;
    let says_why = async || bench.pipeline.log().is_ok_and(|log| log.contains("taken out of the publication"));
    bench.pipeline.wait("the table is copied anew", says_why).await.unwrap();
    stop.send(true).unwrap();
    println!("{}", workload.await.unwrap());
    bench.until_equal(&shop::TABLES).await;
}

#[tokio::test]
async fn values_that_an_early_change_leaves_out_are_there_when_an_added_table_is() {
    let mut bench = Bench::new(&PipelineOptions::json(&[USERS])).await;
    let writer = bench.pipeline.session().await.unwrap();
    shop::create(&writer).await.unwrap();
    shop::seed(&writer, 500).await.unwrap();
    bench.sql("CREATE TABLE pages (id int PRIMARY KEY, reads int NOT NULL, text text)").await;
    bench.sql("ALTER TABLE pages ALTER text SET STORAGE EXTERNAL").await;
    bench.sql("INSERT INTO pages SELECT id, 0, repeat(id::text, 3000) FROM generate_series(1, 3000) id").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[USERS]).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let workload = tokio::spawn(async move {
        let mut id = 0;
        while !*stopped.borrow() {
            id = (id * 31 + 7) % 3000;
            writer.execute("UPDATE pages SET reads = reads + 1 WHERE id = $1 + 1", &[&id]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
            if id % 20 == 0 {
                writer.execute("DELETE FROM pages WHERE id = $1 + 1", &[&id]).await.unwrap();
            }
        }
    });
    replicate(&mut bench, &[USERS, "public.pages"]).await;
    let copied = |tables: &[_]| tables.iter().all(|table: &tributary_e2e::pipeline::TableView| table.rows > Some(0));
    bench.pipeline.wait_until("the added table has rows", copied).await.unwrap();
    stop.send(true).unwrap();
    workload.await.unwrap();
    bench.until_equal(&[USERS, "public.pages"]).await;
}
