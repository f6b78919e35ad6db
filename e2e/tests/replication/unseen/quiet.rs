//! Many tables in which nothing changes: they have no topics, and are caught up all the same.

use tributary_e2e::pipeline::PipelineOptions;

use crate::shared::Bench;
use crate::shared::watch::Knows;

const TABLES: usize = 40;

#[tokio::test]
async fn many_tables_without_any_change_since_their_copy_are_caught_up() {
    let names: Vec<String> = (0..TABLES).map(|number| format!("public.t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&PipelineOptions::json(&names)).await;
    for name in &names {
        bench.sql(&format!("CREATE TABLE {name} (id int PRIMARY KEY); INSERT INTO {name} VALUES (1)")).await;
    }
    bench.pipeline.start().await.unwrap();
    bench.watch_until_caught_up(&names).await.assert_no_lie(Knows::Everything);
}
