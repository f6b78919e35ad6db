//! delta-rs merges files of tables that are written at the same time, with deletion vectors and without.

use tributary_e2e::shop::{self, Workload};

use super::{delta_rs, log};
use crate::shared::Bench;

/// With deletion vectors, as every table that does not say otherwise.
const MARKED: &str = "public.users";
/// With `writes: CopyOnWrite`.
const REWRITTEN: &str = "public.orders";

#[tokio::test]
async fn tables_that_delta_rs_compacts_during_a_workload_equal_their_sources() {
    stays_equal_through(2).await;
}

#[tokio::test]
#[ignore = "the long form of the test above: make peers"]
async fn tables_that_delta_rs_compacts_again_and_again_equal_their_sources() {
    stays_equal_through(20).await;
}

/// Until each of the two tables was compacted so often.
async fn stays_equal_through(compactions: usize) {
    let mut bench = Bench::shop(1000).await;
    let elsewhen = elsewhen();
    bench.pipeline.edit(|document| {
        document["spec"]["tables"][1]["writes"] = "CopyOnWrite".into();
        document["spec"]["maintenance"]["windows"] = elsewhen;
    });
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;

    let mut workload = Workload::new(9, 100);
    while landed(&bench, MARKED).await.min(landed(&bench, REWRITTEN).await) < compactions {
        compact_during(&bench, &mut workload).await;
    }
    // Changes rows in every file, those that delta-rs wrote among them.
    bench.sql("UPDATE users SET active = NOT active WHERE id % 2 = 0; DELETE FROM users WHERE id % 7 = 0").await;
    bench.sql("UPDATE orders SET quantity = 3 WHERE id % 2 = 0; DELETE FROM orders WHERE id % 7 = 0").await;
    bench.until_equal_and_applied_once().await;
    let log = bench.pipeline.log().unwrap();
    let adopted = log.matches(&format!("adopted: OPTIMIZE by {}", delta_rs::ENGINE)).count();
    println!("{adopted} compactions of delta-rs were adopted");
    assert!(adopted >= 2 * compactions, "{log}");
}

/// A window that is not now: delta-rs does not see that a compaction of ours came before its own, and the table would stop.
fn elsewhen() -> serde_json::Value {
    let hour = |hours: i64| {
        let then = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        then.strftime("%H:00").to_string()
    };
    serde_json::json!([{"from": hour(8), "to": hour(9)}])
}

/// The workload ends, so the compactions do as well: what keeps coming first are its changes.
async fn compact_during(bench: &Bench, workload: &mut Workload) {
    let [marked, rewritten] = [MARKED, REWRITTEN].map(|table| bench.pipeline.location(table).unwrap());
    let changes = workload.run(bench.pipeline.source(), 200);
    let (counts, marked, rewritten) = tokio::join!(changes, delta_rs::compact(&marked), delta_rs::compact(&rewritten));
    println!("{}; {MARKED}: {marked}, {REWRITTEN}: {rewritten}", counts.unwrap());
}

async fn landed(bench: &Bench, table: &str) -> usize {
    log::versions_by(&bench.pipeline.delta_log(table).await.unwrap(), "OPTIMIZE", delta_rs::ENGINE).len()
}
