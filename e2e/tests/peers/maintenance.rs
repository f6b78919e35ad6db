//! Spark looks after a table that is written: it merges files, adds a column, removes what nobody needs.

use tributary_e2e::shop::{self, Workload};

use super::log::{columns, versions_by};
use super::spark::{self, Spark};
use crate::shared::Bench;

const USERS: &str = "public.users";

#[tokio::test]
#[ignore = "needs Spark: make peers"]
async fn a_table_that_spark_optimizes_widens_and_vacuums_during_a_workload_equals_its_source() {
    let mut bench = Bench::shop_on_disk(1000).await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let mut spark = Spark::start().await;
    let table = spark::name(&bench.pipeline.location(USERS).unwrap());

    let newcomers = bench.newcomers(20).await;
    let mut workload = Workload::new(10, 50);
    for statement in [
        format!("OPTIMIZE {table}"),
        format!("ALTER TABLE {table} ADD COLUMN remark STRING"),
        format!("VACUUM {table}"),
        format!("OPTIMIZE {table} ZORDER BY (id)"),
        format!("VACUUM {table} LITE"),
    ] {
        let changes = workload.run(bench.pipeline.source(), 300);
        let (counts, _) = tokio::join!(changes, spark.land(&statement));
        println!("{}", counts.unwrap());
    }
    let error = spark.sql(&format!("VACUUM {table} RETAIN 0 HOURS")).await.unwrap_err();
    assert!(error.contains("DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT"), "{error}");
    println!("{}", newcomers.stop().await);
    widen_at_the_source(&bench).await;
    bench.until_equal_and_applied_once().await;

    assert_eq!(spark.count(&table).await, count(&bench).await);
    assert_all_of_it_was_adopted(&bench).await;
}

/// Changes rows in every file, and gives them columns: first one beside Spark's, which must not get lost by it, then Spark's
/// own, by which the tables would differ.
async fn widen_at_the_source(bench: &Bench) {
    bench.sql("ALTER TABLE users ADD COLUMN nickname text").await;
    bench.sql("UPDATE users SET nickname = 'number ' || id WHERE id % 3 = 0").await;
    let read = async || columns(&bench.pipeline.delta_log(USERS).await.unwrap());
    let is_there = async || read().await.iter().any(|name| name == "nickname");
    bench.pipeline.wait("the source's column is in Delta", is_there).await.unwrap();
    let columns = read().await;
    assert!(columns.iter().any(|name| name == "remark"), "{columns:?}");
    bench.sql("ALTER TABLE users ADD COLUMN remark text").await;
    bench.sql("UPDATE users SET remark = 'remark ' || id WHERE id % 5 = 0").await;
    bench.sql("DELETE FROM users WHERE id % 7 = 0").await;
}

async fn count(bench: &Bench) -> i64 {
    bench.pipeline.source().query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0)
}

async fn assert_all_of_it_was_adopted(bench: &Bench) {
    let log = bench.pipeline.delta_log(USERS).await.unwrap();
    let adopted = bench.pipeline.log().unwrap();
    for (operation, times) in [("OPTIMIZE", 2), ("ADD COLUMNS", 1), ("VACUUM START", 2), ("VACUUM END", 2)] {
        assert_eq!(versions_by(&log, operation, spark::ENGINE).len(), times, "{operation}");
        let line = format!("adopted: {operation} by {}", spark::ENGINE);
        assert_eq!(adopted.matches(&line).count(), times, "{line}\n{adopted}");
    }
}
