//! Events that come again, as after a restart of the connector, change nothing.

use tributary_e2e::pipeline::{EventFormat, PipelineOptions};
use tributary_e2e::shop::{self, Workload};

use crate::shared::Bench;

const REPLAYED: i64 = 300;

#[tokio::test]
async fn a_replayed_suffix_changes_nothing_in_either_format() {
    for format in [EventFormat::Json, EventFormat::Avro] {
        a_replayed_suffix_changes_nothing(format).await;
    }
}

async fn a_replayed_suffix_changes_nothing(format: EventFormat) {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).format(format)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let mut workload = Workload::new(3, 0);
    println!("{}", workload.run(bench.pipeline.source(), 800).await.unwrap());
    bench.until_equal(&shop::TABLES).await;

    // The last event of a table may share its position with others that are new, so it is applied again: to the same
    // effect, and in one commit at most. A key change that leaves out the big values of its row is the hardest one.
    let old = "(SELECT max(id) FROM orders WHERE length(note) > 2500)";
    bench.sql(&format!("UPDATE orders SET id = nextval('orders_id_seq') WHERE id = {old}")).await;
    bench.until_equal(&shop::TABLES).await;
    let before = versions(&bench).await;
    replay(&bench).await;
    touch_every_table(&bench).await;
    assert_at_most_two_more(before, versions(&bench).await);

    // The next start reads copies that no commit has passed yet.
    let before = versions(&bench).await;
    replay(&bench).await;
    bench.pipeline.restart().unwrap();
    touch_every_table(&bench).await;
    assert_at_most_two_more(before, versions(&bench).await);
    workload.run(bench.pipeline.source(), 300).await.unwrap();
    bench.until_equal(&shop::TABLES).await;
}

/// One version for the new change behind the copies, and one for the last of the copies.
fn assert_at_most_two_more(before: [u64; 3], after: [u64; 3]) {
    let more = [0, 1, 2].map(|table| after[table] - before[table]);
    assert!(more.iter().all(|more| (1..=2).contains(more)), "a replay made commits: {before:?}, then {after:?}");
}

/// Appends copies of the last messages of each topic.
async fn replay(bench: &Bench) {
    for table in shop::TABLES {
        let topic = bench.pipeline.topic(table).unwrap();
        let messages = bench.pipeline.stack().last_messages(&topic, REPLAYED).await.unwrap();
        assert!(!messages.is_empty());
        bench.pipeline.stack().produce_again(messages).await.unwrap();
    }
}

/// One new change in each table, behind the copies, and one commit for it.
async fn touch_every_table(bench: &Bench) {
    bench.sql("UPDATE users SET name = name || '!' WHERE id = (SELECT min(id) FROM users)").await;
    bench.sql("UPDATE orders SET quantity = quantity + 1 WHERE id = (SELECT min(id) FROM orders)").await;
    bench.sql("UPDATE products SET stock = stock + 1 WHERE sku = (SELECT min(sku) FROM products)").await;
    bench.until_equal(&shop::TABLES).await;
}

async fn versions(bench: &Bench) -> [u64; 3] {
    let mut versions = [0; 3];
    for (version, table) in versions.iter_mut().zip(shop::TABLES) {
        *version = bench.pipeline.delta_log(table).await.unwrap().version().unwrap();
    }
    versions
}

#[tokio::test]
async fn a_connector_that_is_restarted_during_a_workload_loses_and_doubles_nothing() {
    let mut bench = Bench::shop(1000).await;
    bench.pipeline.start().await.unwrap();
    let workload = bench.workload(4, 100).await;
    for _ in 0..3 {
        let before = bench.pipeline.table("public.orders").await.ok().and_then(|table| table.delta_version);
        let moved = |tables: &[tributary_e2e::pipeline::TableView]| {
            tables.iter().any(|table| table.name == "public.orders" && table.delta_version > before)
        };
        bench.pipeline.wait_until("orders has a new version", moved).await.unwrap();
        bench.pipeline.stack().restart_connector_task(bench.pipeline.name()).await.unwrap();
    }
    println!("{}", workload.stop().await);
    bench.until_equal(&shop::TABLES).await;
}
