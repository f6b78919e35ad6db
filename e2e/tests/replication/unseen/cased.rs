//! A column whose name changes only its case: Delta takes the two for one.

use tributary_e2e::pipeline::{EventFormat, PipelineOptions};

use crate::shared::Bench;
use crate::shared::watch::Knows;

const USERS: &str = "public.users";

#[tokio::test]
async fn a_column_whose_name_changes_only_its_case_is_copied_anew_in_json() {
    copied_anew(EventFormat::Json).await;
}

#[tokio::test]
async fn a_column_whose_name_changes_only_its_case_is_copied_anew_in_avro() {
    copied_anew(EventFormat::Avro).await;
}

/// Case C07, with the event of a row before the next look at the source.
async fn copied_anew(format: EventFormat) {
    let mut bench = Bench::new(&PipelineOptions::json(&[USERS]).format(format)).await;
    bench.sql("CREATE TABLE users (id int PRIMARY KEY, \"userName\" text)").await;
    bench.sql("INSERT INTO users VALUES (1, 'x'), (2, 'y')").await;
    bench.pipeline.start().await.unwrap();
    bench.watch_until_caught_up(&[USERS]).await.assert_no_lie(Knows::Everything);
    bench.sql("ALTER TABLE users RENAME COLUMN \"userName\" TO username").await;
    bench.sql("UPDATE users SET username = 'z' WHERE id = 1").await;
    bench.watch_until_caught_up(&[USERS]).await.assert_no_lie(Knows::WhatItFinds);
    bench.sql("UPDATE users SET username = username || '?'").await;
    bench.until_equal(&[USERS]).await;
}
