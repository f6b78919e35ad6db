//! Columns come and go at the source.

use tributary_e2e::pipeline::PipelineOptions;
use tributary_e2e::shop;

use crate::shared::Bench;

const USERS: &str = "public.users";

#[tokio::test]
async fn added_columns_come_with_the_first_row_that_has_them_and_dropped_ones_stay_and_become_null() {
    let mut bench = Bench::new(&PipelineOptions::json(&[USERS]).commit_interval("200ms")).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&[USERS]).await;

    bench.sql("ALTER TABLE users ADD COLUMN nickname text, ADD COLUMN born timestamp").await;
    bench
        .sql("INSERT INTO users (name, email, nickname, born) VALUES ('Ada', 'ada@x', 'Countess', '1815-12-10')")
        .await;
    bench.sql("UPDATE users SET nickname = 'number ' || id WHERE id % 10 = 0").await;
    bench.until_equal(&[USERS]).await;
    assert_the_column_came_with_rows(&bench, "nickname").await;

    bench.sql("ALTER TABLE users DROP COLUMN country").await;
    bench.sql("UPDATE users SET active = NOT active").await;
    bench.sql("INSERT INTO users (name, email) VALUES ('Bob', 'bob@x')").await;
    let location = bench.pipeline.location(USERS).unwrap();
    let all_null = async || {
        let read = bench.oracle.read(&location, |header, rows| {
            let country = header.columns.iter().position(|column| column.name == "country").unwrap();
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            Ok((rows.len(), rows.iter().all(|row| row[country].is_null())))
        });
        matches!(read.await, Ok((102, true)))
    };
    bench.pipeline.wait("the dropped column is there and null in every row", all_null).await.unwrap();

    // Back again: the same column goes on.
    bench.sql("ALTER TABLE users ADD COLUMN country char(2)").await;
    bench.sql("UPDATE users SET country = 'NZ' WHERE id % 3 = 0").await;
    bench.until_equal(&[USERS]).await;
    bench.pipeline.restart().unwrap();
    bench.sql("DELETE FROM users WHERE id % 5 = 0").await;
    bench.until_equal(&[USERS]).await;
}

/// The first commit whose schema has the column also adds rows; none before has it.
async fn assert_the_column_came_with_rows(bench: &Bench, column: &str) {
    let log = bench.pipeline.delta_log(USERS).await.unwrap();
    let has = |columns: Vec<String>| columns.iter().any(|name| name == column);
    let first = log.commits.iter().find(|commit| commit.columns().is_some_and(has)).unwrap();
    assert!(first.version > 0 && first.offset_range().is_some(), "version {}", first.version);
    assert!(first.all("add").next().is_some(), "version {} adds a column and no rows", first.version);
}
