//! The source's server is an older one: on another timeline, as after a restore to a point in time, or on the same, as after one of its disk.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tributary_e2e::pipeline::{Phase, PipelineOptions, TableView};
use tributary_e2e::stack::{Part, Stack, StackOptions};

use crate::shared::Bench;

const ITEMS: &str = "public.items";

#[tokio::test]
async fn a_server_that_comes_back_on_another_timeline_has_its_tables_copied_anew() {
    // Its own: the databases of other tests must live.
    let stack = Arc::new(Stack::up(StackOptions::default().without(Part::Registry)).await.unwrap());
    let mut bench = Bench::on(&stack, &PipelineOptions::json(&[ITEMS])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text); INSERT INTO items VALUES (1, 'x'), (2, 'y')").await;
    // Recovery needs to be told from where it gets what it lacks: there is nothing.
    bench.sql("ALTER SYSTEM SET restore_command = 'false'").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    bench.pipeline.kill_9();
    std::fs::write(stack.directory().join("postgres/data/recovery.signal"), "").unwrap();
    stack.restart(Part::Postgres).await.unwrap();
    bench.pipeline.reconnect().await.unwrap();
    let recovers = "SELECT pg_is_in_recovery()";
    let is_back = async || !bench.pipeline.source().query_one(recovers, &[]).await.unwrap().get::<_, bool>(0);
    bench.pipeline.wait("recovery has ended", is_back).await.unwrap();
    bench.sql("INSERT INTO items VALUES (3, 'z')").await;
    bench.pipeline.restart().unwrap();
    let swapped = async || {
        let log = bench.pipeline.delta_log(ITEMS).await.unwrap();
        let mut infos = log.commits.iter().flat_map(|commit| commit.all("commitInfo"));
        infos.any(|info| info["tributary.copiedAnew"].as_str().is_some_and(|why| why.contains("point in time")))
    };
    bench.pipeline.wait("the rows are copied anew", swapped).await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    bench.sql("DELETE FROM items WHERE id = 1").await;
    bench.until_equal(&[ITEMS]).await;
}

#[tokio::test]
async fn a_server_whose_disk_was_restored_has_its_tables_copied_anew_when_the_stream_goes_on() {
    let stack = Arc::new(Stack::up(StackOptions::default().without(Part::Registry)).await.unwrap());
    let mut bench = Bench::on(&stack, &PipelineOptions::json(&[ITEMS])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text); INSERT INTO items VALUES (1, 'x'), (2, 'y')").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS]).await;
    let data = stack.directory().join("postgres/data");
    let disk = stack.directory().join("postgres/disk");
    stack.kill(Part::Postgres).await.unwrap();
    copy(&data, &disk);
    stack.restart(Part::Postgres).await.unwrap();
    bench.pipeline.reconnect().await.unwrap();
    // Another segment of the log, so that it takes a while to get there again.
    bench.sql("SELECT pg_switch_wal()").await;
    bench
        .sql("INSERT INTO items SELECT n, 'lost' FROM generate_series(10, 100) n; DELETE FROM items WHERE id = 1")
        .await;
    bench.until_equal(&[ITEMS]).await;
    let ticks =
        |tables: &[TableView]| tables[0].lag_bytes == Some(0) && tables[0].lag_seconds.is_some_and(|lag| lag < 5.0);
    bench.pipeline.wait_until("the connector's tick is there", ticks).await.unwrap();

    stack.kill(Part::Postgres).await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&disk, &data);
    stack.restart(Part::Postgres).await.unwrap();
    bench.pipeline.reconnect().await.unwrap();
    bench.sql("UPDATE items SET a = 'of the disk'").await;
    let table = bench.pipeline.until_message(ITEMS, "restored from a copy of its disk").await.unwrap();
    assert_ne!(table.phase, Phase::Streaming);
    // Where it is now, the connector leaves out what it takes for read.
    bench.sql("INSERT INTO items VALUES (4, 'before it is there again')").await;
    // Where the connector has been, or a little further.
    bench.sql("SELECT pg_switch_wal()").await;
    bench.sql("INSERT INTO items VALUES (3, 'z'); SELECT pg_switch_wal()").await;
    bench.until_equal(&[ITEMS]).await;
    bench.sql("DELETE FROM items WHERE id = 2").await;
    bench.until_equal(&[ITEMS]).await;
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
