//! Tables come and go while others are replicated.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tributary_crds::topic;
use tributary_e2e::pipeline::PipelineOptions;
use tributary_e2e::shop::{self, Workload};
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER};
use tributary_operator::signal::{Kafka, SnapshotResult, SnapshotWatch, execute_snapshot};
use tributary_sources::postgres::{Credentials, Facts, connect, facts};

use crate::shared::Bench;

const USERS: &str = "public.users";
const ORDERS: &str = "public.orders";
const PRODUCTS: &str = "public.products";

fn kafka(bench: &Bench) -> Kafka {
    Kafka::new(bench.pipeline.stack().addresses().bootstrap_servers(), Vec::new())
}

async fn source(bench: &Bench) -> Facts {
    let resource = bench.pipeline.resource().unwrap();
    let credentials = Credentials { username: POSTGRES_USER.into(), password: POSTGRES_PASSWORD.into() };
    let session = connect(resource.spec.source.postgres.as_ref().unwrap(), &credentials).await.unwrap();
    facts(&session, &resource).await.unwrap()
}

/// Changes the tables of the resource, and tells the connector. Tables whose first copy is still to come are named twice.
async fn replicate(bench: &mut Bench, tables: &[&str], arriving: &[&str]) {
    let list: Vec<Value> = tables.iter().map(|name| json!({ "name": name })).collect();
    bench.pipeline.edit(|document| document["spec"]["tables"] = list.into());
    bench.pipeline.connect_while_arriving(arriving).await.unwrap();
}

/// What the operator does for an added table: connector first, then the signal, and when the rows are there the
/// connector without what only an arriving table needs.
async fn add(bench: &mut Bench, table: &'static str, all: &[&str]) {
    let resource = bench.pipeline.resource().unwrap();
    let mut first = SnapshotWatch::initial();
    let copied = async || matches!(first.look(&kafka(bench), &resource).await, Ok(SnapshotResult::Done));
    bench.pipeline.wait("the first copy is done", copied).await.unwrap();
    replicate(bench, all, &[table]).await;
    bench.pipeline.wait("the publication has the table", async || source(bench).await.publishes(table)).await.unwrap();
    bench.pipeline.restart().unwrap();
    copy(bench, table).await;
    replicate(bench, all, &[]).await;
}

/// Signals until the connector says that it has read all rows.
async fn copy(bench: &Bench, table: &str) {
    let resource = bench.pipeline.resource().unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let id = format!("{}-{}", bench.pipeline.name(), uuid::Uuid::new_v4());
        // Once more, as by an operator that died before it could note that it had asked.
        for _ in 0..2 {
            execute_snapshot(&kafka(bench), &resource, &[table], &id).await.unwrap();
        }
        let mut watch = SnapshotWatch::of_signal(&id);
        while bench.connector_runs().await {
            if matches!(watch.look(&kafka(bench), &resource).await, Ok(SnapshotResult::Done)) {
                return;
            }
            assert!(Instant::now() < deadline, "no end of the copy: {}", bench.pipeline.diagnosis().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
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

    add(&mut bench, USERS, &shop::TABLES).await;
    let moved_on = bench.pipeline.delta_log(PRODUCTS).await.unwrap().version();
    let moves = async || bench.pipeline.delta_log(PRODUCTS).await.is_ok_and(|log| log.version() > moved_on);
    bench.pipeline.wait("the others go on", moves).await.unwrap();

    replicate(&mut bench, &[USERS, ORDERS], &[]).await;
    let gone = async || !source(&bench).await.publishes(PRODUCTS);
    bench.pipeline.wait("the publication lacks the removed table", gone).await.unwrap();
    let removed = topic::data(&bench.pipeline.resource().unwrap(), &tributary_crds::TableSpec::new(PRODUCTS));
    let end = bench.pipeline.stack().end_offset(&removed).await.unwrap();
    bench.pipeline.restart().unwrap();
    let before = bench.pipeline.delta_log(ORDERS).await.unwrap().version();
    let goes_on = async || bench.pipeline.delta_log(ORDERS).await.is_ok_and(|log| log.version() > before);
    bench.pipeline.wait("the tables that are left go on", goes_on).await.unwrap();
    stop.send(true).unwrap();
    println!("{}", workload.await.unwrap());
    bench.until_equal(&[USERS, ORDERS]).await;
    assert_eq!(bench.pipeline.stack().end_offset(&removed).await.unwrap(), end, "changes of a removed table are sent");
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
            // Gone before the connector can ask for the text that its update left out.
            if id % 20 == 0 {
                writer.execute("DELETE FROM pages WHERE id = $1 + 1", &[&id]).await.unwrap();
            }
        }
    });
    add(&mut bench, "public.pages", &[USERS, "public.pages"]).await;
    stop.send(true).unwrap();
    workload.await.unwrap();
    bench.until_equal(&[USERS, "public.pages"]).await;
}

#[tokio::test]
async fn a_signal_for_a_table_that_the_connector_does_not_know_is_said_to_be_skipped() {
    let bench = Bench::new(&PipelineOptions::json(&[USERS])).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    bench.pipeline.connect().await.unwrap();
    let (resource, kafka) = (bench.pipeline.resource().unwrap(), kafka(&bench));
    let mut watch = SnapshotWatch::of_signal("early-signal-1");
    assert_eq!(watch.look(&kafka, &resource).await.unwrap(), SnapshotResult::Unknown);
    execute_snapshot(&kafka, &resource, &[ORDERS], "early-signal-1").await.unwrap();
    let skipped = async || matches!(watch.look(&kafka, &resource).await, Ok(SnapshotResult::Skipped));
    bench.pipeline.wait("the connector says that it skipped the table", skipped).await.unwrap();
}
