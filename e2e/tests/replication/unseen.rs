//! What changes at the source without any event, or in an unusual way: the tables are equal again without anybody's help, and a minute
//! later, or once it was seen, `CaughtUp` is never True while they differ.
//!
//! The cases from reports about other tools, and where each is tried:
//!
//! | case | what happens | test |
//! |---|---|---|
//! | C02, C03, C04, C05, C07, C11, C12, H3 | columns, partitions, other tables of the same name, a value like the placeholder | [`changes`] |
//! | C07 `cased` | a column's name changes only its case | [`cased`] |
//! | C06 | a table that others inherit from, before and after its first copy | `a_table_that_others_inherit_from_…` below |
//! | C08 | the slot is gone | [`missing`]; with the operator `cluster::stream` |
//! | C14 | one table is taken out and put in again elsewhere, its topic's beginning is gone | [`listed_again`] |
//! | C28 | two topics that Kafka takes for the same | refused: `crds/src/document/tests.rs`, `two_tables_whose_topics_…` |
//! | H4 | the connector is far behind | [`behind`] |
//! | operator C1, C3 | tables replaced; a removed one comes back with a resource made again | `cluster::tables` |
//! | operator C2, C13 | made again with one more table, on a Kafka of one's own | `cluster::made_again` |
//! | operator H2 | topics of others are not deleted | `cluster::made_again`, and beside the code: `operator/src/kafka/topics.rs` |
//! | operator M2 | resumed while the source is away | `operator/src/controller/tests.rs`, `a_connector_that_was_stopped_stays_…` |

mod behind;
mod cased;
mod changes;
mod listed_again;
mod missing;
mod quiet;

use tributary_e2e::pipeline::{EventFormat, Phase, PipelineOptions};
use tributary_sources::postgres;

use crate::shared::Bench;
use crate::shared::watch::Knows;
use changes::Change;

#[tokio::test]
async fn what_no_event_says_is_seen_and_the_tables_are_equal_again_without_help_in_json() {
    what_no_event_says_is_seen(EventFormat::Json).await;
}

#[tokio::test]
async fn what_no_event_says_is_seen_and_the_tables_are_equal_again_without_help_in_avro() {
    what_no_event_says_is_seen(EventFormat::Avro).await;
}

async fn what_no_event_says_is_seen(format: EventFormat) {
    // The names are the same for all.
    let names: Vec<String> = changes::all("", "").iter().map(|change| format!("public.{}", change.table)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&PipelineOptions::json(&names).format(format)).await;
    let publication = postgres::publication(&bench.pipeline.resource().unwrap());
    let changes = changes::all(bench.pipeline.name(), &publication);
    run(&bench, changes.iter().flat_map(|change| &change.made)).await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&names).await;
    // As tables of a source that is in use: each has a topic.
    run(&bench, &changes.iter().map(Change::touch).collect::<Vec<_>>()).await;
    bench.watch_until_caught_up(&names).await;
    run(&bench, changes.iter().flat_map(|change| &change.statements)).await;
    // As the operator does it within a minute: another table under a name is to be published.
    bench.pipeline.publish().await.unwrap();
    let watched = bench.watch_until_caught_up(&names).await;
    watched.assert_no_lie(Knows::WhatItFinds);
    assert!(watched.differed() > 0, "nothing was shown: {watched}");
    run(&bench, changes.iter().flat_map(|change| &change.after)).await;
    bench.until_equal(&names).await;
}

/// Runs statements one by one, as `psql` does: each is a transaction of its own, unless they say otherwise.
async fn run(bench: &Bench, statements: impl IntoIterator<Item = &String>) {
    for statement in statements {
        bench.sql(statement).await;
    }
}

#[tokio::test]
async fn a_publication_that_sent_no_updates_for_a_while_has_its_tables_copied_anew() {
    let mut bench = Bench::new(&PipelineOptions::json(&["public.items"])).await;
    bench.sql("CREATE TABLE items (id int PRIMARY KEY, a text); INSERT INTO items VALUES (1, 'x'), (2, 'y')").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&["public.items"]).await;
    let publication = postgres::publication(&bench.pipeline.resource().unwrap());
    bench.sql(&format!("ALTER PUBLICATION \"{publication}\" SET (publish = 'insert')")).await;
    bench.sql("UPDATE items SET a = 'unsent'; DELETE FROM items WHERE id = 2").await;
    bench.sql(&format!("ALTER PUBLICATION \"{publication}\" SET (publish = 'insert, update, delete, truncate')")).await;
    bench.until_equal(&["public.items"]).await;
    bench.sql("UPDATE items SET a = 'sent'").await;
    bench.until_equal(&["public.items"]).await;
}

/// Case C06.
#[tokio::test]
async fn a_table_that_others_inherit_from_or_without_its_key_stops_and_says_so_before_and_after_its_copy() {
    let tables = ["public.parent", "public.measures", "public.keyless"];
    let mut bench = Bench::new(&PipelineOptions::json(&tables)).await;
    bench.sql("CREATE TABLE parent (id int PRIMARY KEY, a text); INSERT INTO parent VALUES (1, 'x')").await;
    bench.sql("CREATE TABLE keyless (id int PRIMARY KEY, a text); INSERT INTO keyless VALUES (1, 'x')").await;
    bench.sql("CREATE TABLE measures (id int PRIMARY KEY, v float8); INSERT INTO measures VALUES (1, 1.0)").await;
    bench.sql("CREATE TABLE measures_2026 (PRIMARY KEY (id)) INHERITS (measures)").await;
    bench.sql("INSERT INTO measures_2026 VALUES (2, 2.0)").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&["public.parent", "public.keyless"]).await;
    until_stopped(&bench, "public.measures", "inherit from it, whose rows are not its own: measures_2026").await;
    assert!(bench.pipeline.delta_log("public.measures").await.unwrap().version().is_none(), "rows of some were copied");
    bench.sql("CREATE TABLE child () INHERITS (parent); ALTER TABLE keyless DROP CONSTRAINT keyless_pkey").await;
    until_stopped(&bench, "public.parent", "tables that inherit from it").await;
    until_stopped(&bench, "public.keyless", "has no primary key").await;
}

async fn until_stopped(bench: &Bench, table: &str, message: &str) {
    let table = bench.pipeline.until_message(table, message).await.unwrap();
    assert_eq!(table.phase, Phase::Stopped, "{table:?}");
}
