//! A table copied anew: readers have the old rows until one commit swaps them, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tributary_e2e::oracle::{Oracle, TableLocation};
use tributary_e2e::pipeline::{Phase, PipelineOptions, TableView};
use tributary_e2e::shop::Random;

use crate::shared::Bench;

const ITEMS: &str = "public.items";
const ROWS: i64 = 300_000;

/// Items of which every change leaves as many, and whose copies take some seconds.
async fn items() -> Bench {
    let mut bench = Bench::new(&PipelineOptions::json(&[ITEMS])).await;
    bench.pipeline.edit(|document| document["spec"]["replicator"]["copy"] = json!({"maxBytesPerSecond": "1Mi"}));
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text)").await;
    bench.sql(&format!("INSERT INTO items SELECT n, 'row ' || n FROM generate_series(1, {ROWS}) n")).await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    until_followed(&bench).await;
    bench
}

async fn until_followed(bench: &Bench) {
    let streaming = |tables: &[TableView]| tables.iter().all(|table| table.phase == Phase::Streaming);
    bench.pipeline.wait_until("the table is followed", streaming).await.unwrap();
}

/// What the log says of copies anew that have taken the place of rows.
async fn swaps(bench: &Bench) -> usize {
    let log = bench.pipeline.delta_log(ITEMS).await.unwrap();
    let infos = log.commits.iter().flat_map(|commit| commit.all("commitInfo"));
    infos.filter(|info| info.get("tributary.copiedAnew").is_some()).count()
}

/// Counts rows, over and over, until told to stop.
async fn read_on(oracle: Oracle, location: TableLocation, stop: Arc<AtomicBool>) -> Vec<u64> {
    let mut counts = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        counts.push(oracle.count(&location).await.unwrap().1);
    }
    counts
}

/// Updates rows, one after the other, until told to stop; how many.
async fn update_on(session: tokio_postgres::Client, stop: Arc<AtomicBool>) -> u32 {
    let mut random = Random::new(3);
    let mut updates = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = 1 + random.below(ROWS);
        session.batch_execute(&format!("UPDATE items SET a = a || '!' WHERE id = {id}")).await.unwrap();
        updates += 1;
    }
    updates
}

#[tokio::test]
async fn readers_see_the_old_rows_or_the_new_ones_while_a_table_is_copied_anew_under_load() {
    let bench = items().await;
    let stop = Arc::new(AtomicBool::new(false));
    let updates = tokio::spawn(update_on(bench.pipeline.session().await.unwrap(), Arc::clone(&stop)));
    let copied_anew = async {
        let (status, output) = bench.pipeline.resync(ITEMS).await.unwrap();
        assert!(status.success() && output.contains("is being copied anew"), "{output}");
        bench.pipeline.until_message(ITEMS, "the rows are copied anew (asked for)").await.unwrap();
        bench.pipeline.wait("the new rows are there", async || swaps(&bench).await == 1).await.unwrap();
        until_followed(&bench).await;
        stop.store(true, Ordering::Relaxed);
    };
    let location = bench.pipeline.location(ITEMS).unwrap();
    // Ready before the copy begins.
    let oracle = Oracle::start().await.unwrap();
    oracle.count(&location).await.unwrap();
    let ((), readings) = tokio::join!(copied_anew, read_on(oracle, location, Arc::clone(&stop)));
    let updates = updates.await.unwrap();
    println!("{} readings, {updates} updates", readings.len());
    assert!(readings.len() > 3 && updates > 10, "{readings:?} {updates}");
    assert!(readings.iter().all(|rows| *rows == ROWS as u64), "{readings:?}");
    bench.until_equal(&[ITEMS]).await;
}

#[tokio::test]
async fn kills_at_every_moment_of_a_copy_anew_leave_the_old_rows_or_the_new_ones() {
    let mut bench = items().await;
    let stop = Arc::new(AtomicBool::new(false));
    let updates = tokio::spawn(update_on(bench.pipeline.session().await.unwrap(), Arc::clone(&stop)));
    bench.pipeline.resync(ITEMS).await.unwrap();
    let location = bench.pipeline.location(ITEMS).unwrap();
    let mut random = Random::new(7);
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(200 + random.below(1200) as u64)).await;
        bench.pipeline.kill_9();
        assert_eq!(bench.oracle.count(&location).await.unwrap().1, ROWS as u64);
        bench.pipeline.restart().unwrap();
    }
    bench.pipeline.wait("the new rows are there", async || swaps(&bench).await == 1).await.unwrap();
    until_followed(&bench).await;
    stop.store(true, Ordering::Relaxed);
    println!("{} updates", updates.await.unwrap());
    bench.until_equal(&[ITEMS]).await;
    assert_eq!(swaps(&bench).await, 1);
}

#[tokio::test]
async fn a_resource_that_says_stop_has_its_table_wait_until_somebody_asks_for_a_copy() {
    let mut bench = Bench::new(&PipelineOptions::json(&[ITEMS])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text); INSERT INTO items VALUES (1, 'x')").await;
    bench.pipeline.edit(|document| document["spec"]["onSourceChange"] = "Stop".into());
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    bench.sql("ALTER TABLE items RENAME COLUMN a TO b").await;
    let table = bench.pipeline.until_message(ITEMS, "tributary.dev/resync=public.items").await.unwrap();
    assert_eq!(table.phase, Phase::Stopped);
    bench.pipeline.resync(ITEMS).await.unwrap();
    bench.until_equal(&[ITEMS]).await;
}

#[tokio::test]
async fn a_table_that_was_not_copied_says_that_it_is_not_compared_with_its_source_until_it_is_copied_anew() {
    let mut bench = Bench::new(&PipelineOptions::json(&[ITEMS])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text)").await;
    let copy = |connections| move |document: &mut Value| document["spec"]["replicator"]["copy"] = connections;
    bench.pipeline.edit(copy(json!({"connections": 0})));
    bench.pipeline.start().await.unwrap();
    bench.sql("INSERT INTO items VALUES (1, 'x')").await;
    bench.until_equal(&[ITEMS]).await;
    assert_eq!(bench.pipeline.table(ITEMS).await.unwrap().compared, Some(false));

    bench.pipeline.edit(copy(json!({"connections": 1})));
    bench.pipeline.restart().unwrap();
    let is_warned = |table: &TableView| table.warnings.iter().any(|text| text.contains("tributary.dev/resync"));
    let warned = |tables: &[TableView]| is_warned(&tables[0]) && tables[0].compared == Some(false);
    bench.pipeline.wait_until("it says that it is not compared", warned).await.unwrap();

    bench.pipeline.resync(ITEMS).await.unwrap();
    let compared = |tables: &[TableView]| tables[0].compared == Some(true) && tables[0].phase == Phase::Streaming;
    bench.pipeline.wait_until("it is compared", compared).await.unwrap();
    assert!(!is_warned(&bench.pipeline.table(ITEMS).await.unwrap()));
    bench.until_equal(&[ITEMS]).await;
}
