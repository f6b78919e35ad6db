//! The source's server on another timeline: what a restore to a point in time and a promoted standby have in common.

use std::sync::Arc;

use tributary_e2e::pipeline::PipelineOptions;
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
