//! Tables whose topics Kafka takes for the same: it has `.` and `_` in its metrics as one character.

use tributary_e2e::pipeline::PipelineOptions;

use crate::shared::Bench;
use crate::shared::watch::Knows;

const TABLES: [&str; 2] = ["sales.eu_orders", "sales_eu.orders"];

/// Case C28.
#[tokio::test]
async fn tables_whose_topics_differ_only_by_a_dot_and_an_underscore_are_all_replicated() {
    let mut bench = Bench::new(&PipelineOptions::json(&TABLES)).await;
    bench.sql("CREATE SCHEMA sales; CREATE SCHEMA sales_eu").await;
    for table in TABLES {
        bench
            .sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, n int); INSERT INTO {table} VALUES (1, 1)"))
            .await;
    }
    bench.pipeline.start().await.unwrap();
    bench.watch_until_caught_up(&TABLES).await.assert_no_lie(Knows::Everything);
    for table in TABLES {
        bench.sql(&format!("UPDATE {table} SET n = 3")).await;
    }
    bench.until_equal(&TABLES).await;
}
