//! What a table needs at the source is gone: it is said, and the table is right again when it is there again.

use tributary_e2e::pipeline::{Phase, PipelineOptions};
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER};
use tributary_operator::build::connector::{ConnectorSecrets, connector_config};
use tributary_sources::postgres;

use crate::shared::Bench;
use crate::shared::watch::Knows;

const TABLES: [&str; 3] = ["public.unpublished", "public.dropped", "public.other"];

async fn until_said(bench: &Bench, table: &str, message: &str, phase: Phase) {
    let table = bench.pipeline.until_message(table, message).await.unwrap();
    assert_eq!(table.phase, phase, "{table:?}");
}

async fn streaming() -> Bench {
    let mut bench = Bench::new(&PipelineOptions::json(&TABLES)).await;
    for table in TABLES {
        bench
            .sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, n int); INSERT INTO {table} VALUES (1, 1)"))
            .await;
    }
    bench.pipeline.start().await.unwrap();
    bench.watch_until_caught_up(&TABLES).await.assert_no_lie(Knows::Everything);
    bench
}

#[tokio::test]
async fn a_table_that_is_not_in_its_publication_or_not_there_says_so_until_it_is() {
    let bench = streaming().await;
    let publication = postgres::publication(&bench.pipeline.resource().unwrap());
    bench.sql(&format!("ALTER PUBLICATION {publication} DROP TABLE unpublished; DROP TABLE dropped")).await;
    bench.sql("UPDATE unpublished SET n = 2; UPDATE other SET n = 2").await;
    until_said(&bench, "public.unpublished", &publication, Phase::Waiting).await;
    until_said(&bench, "public.dropped", "the source has no table", Phase::Retrying).await;
    bench.until_equal(&["public.other"]).await;
    bench.sql("CREATE TABLE dropped (id int PRIMARY KEY, n int); INSERT INTO dropped VALUES (7, 7)").await;
    bench.pipeline.publish().await.unwrap();
    bench.watch_until_caught_up(&TABLES).await.assert_no_lie(Knows::Everything);
    bench.sql("UPDATE unpublished SET n = 3; UPDATE dropped SET n = 3").await;
    bench.until_equal(&TABLES).await;
}

/// Drops the slot; a deleted connector holds it a moment longer.
async fn drop_slot(bench: &Bench, connector: &str, slot: &str) {
    bench.pipeline.stack().delete_connector(connector).await.unwrap();
    let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
    let dropped = async || bench.pipeline.source().batch_execute(&drop).await.is_ok();
    bench.pipeline.wait("the slot is dropped", dropped).await.unwrap();
}

/// A connector that makes a slot: one without the first one's offsets, which the operator has Connect forget (`cluster::stream`).
async fn connect_anew(bench: &Bench) -> String {
    let secrets =
        ConnectorSecrets { username: POSTGRES_USER.to_owned(), password: POSTGRES_PASSWORD.to_owned(), registry: None };
    let config = connector_config(&bench.pipeline.resource().unwrap(), &secrets, Some(1)).unwrap();
    let name = format!("{}-anew", bench.pipeline.name());
    bench.pipeline.stack().register_connector(&name, &config).await.unwrap();
    name
}

/// Case C08: a server took over that has no copy of the slot.
#[tokio::test]
async fn a_slot_that_is_gone_is_said_and_the_tables_are_right_again_when_there_is_one() {
    let bench = streaming().await;
    bench.sql("UPDATE other SET n = 2").await;
    bench.until_equal(&TABLES).await;
    let slot = postgres::slot(&bench.pipeline.resource().unwrap());
    drop_slot(&bench, bench.pipeline.name(), &slot).await;
    bench.sql("UPDATE other SET n = 3; DELETE FROM unpublished; INSERT INTO dropped VALUES (8, 8)").await;
    for table in TABLES {
        until_said(&bench, table, &slot, Phase::Waiting).await;
    }
    let connector = connect_anew(&bench).await;
    bench.watch_until_caught_up(&TABLES).await.assert_no_lie(Knows::Everything);
    bench.sql("UPDATE other SET n = 4; INSERT INTO unpublished VALUES (9, 9)").await;
    bench.until_equal(&TABLES).await;
    drop_slot(&bench, &connector, &slot).await;
}
