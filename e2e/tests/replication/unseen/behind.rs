//! A connector that is far behind, and tables of which one changes much and the other hardly.

use tributary_e2e::pipeline::{PipelineOptions, TableView};

use crate::shared::Bench;
use crate::shared::watch::Knows;

const BIG: &str = "public.big";
const MARK: &str = "public.mark";
const ROWS: u32 = 60_000;
/// Longer than a table that has caught up may be behind.
const BEHIND: f64 = 20.0;

/// Case H4: passes of updates that were made while nothing was read arrive one after the other.
#[tokio::test]
async fn tables_of_a_connector_that_is_far_behind_are_not_caught_up_before_they_are_equal() {
    let mut bench = Bench::new(&PipelineOptions::json(&[BIG, MARK])).await;
    bench.sql("CREATE TABLE big (id int PRIMARY KEY, n int); CREATE TABLE mark (id int PRIMARY KEY, n int)").await;
    bench.sql(&format!("INSERT INTO big SELECT id, 0 FROM generate_series(1, {ROWS}) id")).await;
    bench.pipeline.start().await.unwrap();
    bench.watch_until_caught_up(&[BIG, MARK]).await.assert_no_lie(Knows::Everything);
    bench.pipeline.stack().delete_connector(bench.pipeline.name()).await.unwrap();
    for _ in 0..5 {
        bench.sql("UPDATE big SET n = n + 1").await;
    }
    bench.sql("INSERT INTO mark VALUES (1, 1)").await;
    let behind = |table: &TableView| table.lag_seconds.is_some_and(|lag| lag > BEHIND);
    bench.pipeline.wait_until("both are behind", |tables| tables.iter().all(behind)).await.unwrap();
    bench.pipeline.connect().await.unwrap();
    let watched = bench.watch_until_caught_up(&[BIG, MARK]).await;
    watched.assert_no_lie(Knows::Everything);
    assert_eq!(watched.differed(), 2, "the connector was too fast to show anything: {watched}");
}
