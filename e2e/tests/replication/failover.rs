//! A standby takes the place of the source's server: the stream goes on there if it had all that was delivered, and only then.

use std::sync::Arc;

use tributary_e2e::pipeline::{Phase, PipelineOptions, TableView};
use tributary_e2e::stack::{Part, PostgresRelease, Stack, StackOptions, Standby};
use tributary_sources::postgres::slot;

use crate::shared::Bench;

const ITEMS: &str = "public.items";

/// A table that is followed, and a standby that keeps the slot; `waited_for` before changes are delivered.
async fn followed(waited_for: bool) -> (Standby, Bench) {
    // Its own: the server ends. Older ones do not keep slots on standbys.
    let options = StackOptions { postgres: PostgresRelease::Newest, ..StackOptions::default() };
    let stack = Arc::new(Stack::up(options.without(Part::Registry)).await.unwrap());
    let standby = Standby::of_slots(&stack, waited_for).await.unwrap();
    let mut bench = Bench::on(&stack, &PipelineOptions::json(&[ITEMS])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text); INSERT INTO items VALUES (1, 'x'), (2, 'y')").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    let slot = slot(&bench.pipeline.resource().unwrap());
    bench.pipeline.wait("the standby keeps the slot", async || standby.keeps(&slot).await.unwrap()).await.unwrap();
    // What the server waits for is in the log of the table as soon as it was looked at once more.
    let streaming = |tables: &[TableView]| tables[0].phase == Phase::Streaming;
    bench.pipeline.wait_until("the table is followed", streaming).await.unwrap();
    bench.sql("UPDATE items SET a = 'delivered' WHERE id = 2").await;
    bench.until_equal(&[ITEMS]).await;
    (standby, bench)
}

/// The server ends, and connector and replicator are told of the standby.
async fn fail_over(bench: &mut Bench, standby: &Standby) {
    bench.pipeline.kill_9();
    bench.pipeline.stack().kill(Part::Postgres).await.unwrap();
    standby.promote().await.unwrap();
    let port = standby.port();
    bench.pipeline.edit(|document| document["spec"]["source"]["postgres"]["port"] = port.into());
    bench.pipeline.reconnect().await.unwrap();
    bench.pipeline.connect().await.unwrap();
    bench.sql("INSERT INTO items VALUES (3, 'z'); DELETE FROM items WHERE id = 1").await;
    bench.pipeline.replicate().unwrap();
}

/// Why the rows were copied anew, each time.
async fn copied_anew(bench: &Bench) -> Vec<String> {
    let log = bench.pipeline.delta_log(ITEMS).await.unwrap();
    let infos = log.commits.iter().flat_map(|commit| commit.all("commitInfo"));
    infos.filter_map(|info| Some(info.get("tributary.copiedAnew")?.as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn a_table_goes_on_without_a_copy_on_a_standby_that_had_all_that_was_delivered() {
    let (standby, mut bench) = followed(true).await;
    fail_over(&mut bench, &standby).await;
    bench.until_equal(&[ITEMS]).await;
    assert_eq!(copied_anew(&bench).await, [""; 0]);
    bench.sql("UPDATE items SET a = 'on'").await;
    bench.until_equal(&[ITEMS]).await;
}

#[tokio::test]
async fn a_table_is_copied_anew_when_changes_were_delivered_that_the_standby_never_had() {
    let (mut standby, mut bench) = followed(false).await;
    standby.cut_off().await.unwrap();
    bench.sql("INSERT INTO items VALUES (9, 'lost'); UPDATE items SET a = 'lost'").await;
    bench.until_equal(&[ITEMS]).await;
    fail_over(&mut bench, &standby).await;
    let is_copied = async || copied_anew(&bench).await.iter().any(|why| why.contains("synchronized_standby_slots"));
    bench.pipeline.wait("the rows are copied anew", is_copied).await.unwrap();
    bench.until_equal(&[ITEMS]).await;
}
