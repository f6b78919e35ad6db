//! One table is taken out of the resource and put in again elsewhere.

use serde_json::{Value, json};
use tributary_e2e::pipeline::PipelineOptions;

use crate::shared::Bench;
use crate::shared::watch::Knows;

const ITEMS: &str = "public.items";
const OTHER: &str = "public.other";

/// As the operator does it: the publication first, then the replicator.
async fn list(bench: &mut Bench, tables: Value) {
    bench.pipeline.edit(|document| document["spec"]["tables"] = tables);
    bench.pipeline.publish().await.unwrap();
    bench.pipeline.restart().unwrap();
}

/// Case C14: what its topic has lost meanwhile was copied, and what happened while nobody sent it, too.
#[tokio::test]
async fn a_table_that_is_listed_again_with_another_target_is_complete_there_without_the_beginning_of_its_topic() {
    let mut bench = Bench::new(&PipelineOptions::json(&[ITEMS, OTHER])).await;
    for table in [ITEMS, OTHER] {
        bench
            .sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, n int); INSERT INTO {table} VALUES (1, 1)"))
            .await;
    }
    bench.sql("INSERT INTO items VALUES (2, 2)").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[ITEMS, OTHER]).await;
    bench.sql("UPDATE items SET n = 10 WHERE id = 1; UPDATE items SET n = 12 WHERE id = 2").await;
    bench.until_equal(&[ITEMS, OTHER]).await;

    list(&mut bench, json!([{"name": OTHER}])).await;
    bench.watch_until_caught_up(&[OTHER]).await.assert_no_lie(Knows::Everything);
    bench
        .sql("DELETE FROM items WHERE id = 2; UPDATE items SET n = 11 WHERE id = 1; INSERT INTO items VALUES (3, 3)")
        .await;
    let topic = bench.pipeline.topic(ITEMS).unwrap();
    bench.pipeline.stack().delete_messages(&topic, 2).await.unwrap();

    list(&mut bench, json!([{"name": ITEMS, "target": "items_v2"}, {"name": OTHER}])).await;
    bench.watch_until_caught_up(&[ITEMS, OTHER]).await.assert_no_lie(Knows::Everything);
    bench.sql("UPDATE items SET n = n + 1; UPDATE other SET n = 2").await;
    bench.until_equal(&[ITEMS, OTHER]).await;
}
