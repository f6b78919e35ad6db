//! Tables that come and go.

use serde_json::json;
use tributary_crds::{CdcReplication, TablePhase};
use tributary_e2e::cluster::{Lab, in_lab, until};
use tributary_e2e::pipeline::DeltaLog;
use tributary_e2e::shop::TABLES;

use super::shop::{self, NAME};
use crate::shared::watch::{self, Knows};

const AT_FIRST: [&str; 2] = ["public.users", "public.products"];

/// Cases C1 and C3 of the operator.
#[tokio::test]
async fn tables_that_take_the_place_of_others_or_come_back_are_copied_before_the_resource_has_caught_up() {
    in_lab(|lab| async move {
        shop::create(&lab, 1000).await;
        apply_and_watch(&lab, &["public.users"]).await;
        apply_and_watch(&lab, &["public.orders", "public.products"]).await;
        assert_eq!(published(&lab).await, ["public.orders", "public.products"]);

        // What happens to a table that is not listed, nobody sends.
        lab.sql("UPDATE users SET active = NOT active WHERE id % 2 = 0; DELETE FROM users WHERE id % 7 = 0").await;
        apply_and_watch(&lab, &TABLES).await;

        apply_and_watch(&lab, &["public.users", "public.products"]).await;
        lab.sql("UPDATE orders SET status = 'paid' WHERE id % 2 = 0; DELETE FROM orders WHERE id % 5 = 0").await;
        lab.delete(NAME).await;
        apply_and_watch(&lab, &TABLES).await;
        lab.sql("UPDATE orders SET status = 'sent' WHERE id % 3 = 0; UPDATE users SET active = NOT active").await;
        shop::until_equal(&lab).await;
    })
    .await;
}

/// Gives the resource these tables: never, until all are equal, may it say that they are.
async fn apply_and_watch(lab: &Lab, tables: &[&str]) {
    lab.apply(&lab.document(NAME, tables)).await.unwrap();
    watch::until_caught_up(lab, NAME, tables).await.assert_no_lie(Knows::Everything);
}

#[tokio::test]
async fn an_annotation_has_a_table_copied_anew() {
    in_lab(|lab| async move {
        shop::create(&lab, 1000).await;
        lab.apply(&lab.document(NAME, &AT_FIRST)).await.unwrap();
        lab.until_caught_up(NAME).await;
        let wish = json!({"metadata": {"annotations": {"tributary.dev/resync": "public.users=1"}}});
        lab.patch(NAME, wish).await.unwrap();
        let says_so = |resource: &CdcReplication| {
            let mut tables = resource.status.iter().flat_map(|status| &status.tables);
            let why = "the rows are copied anew (asked for)";
            tables.any(|table| table.message.as_ref().is_some_and(|message| message.starts_with(why)))
        };
        until(&lab.replications(), NAME, "the users are copied anew", says_so).await.unwrap();
        lab.until_condition(NAME, "CaughtUp", "False").await;
        lab.until_caught_up(NAME).await;
        println!("{}", lab.equal(NAME, &AT_FIRST).await);
        let log = DeltaLog::read(&lab.table(NAME, "public.users")).await.unwrap();
        let infos: Vec<_> = log.commits.iter().flat_map(|commit| commit.all("commitInfo")).collect();
        let swaps = infos.iter().filter(|info| info.get("tributary.copiedAnew").is_some()).count();
        assert_eq!(swaps, 1, "{infos:?}");
    })
    .await;
}

/// The tables whose changes the database sends.
async fn published(lab: &Lab) -> Vec<String> {
    lab.catalogue("SELECT schemaname || '.' || tablename FROM pg_publication_tables ORDER BY 1").await
}

#[tokio::test]
async fn an_added_table_is_copied_while_the_others_go_on_and_a_removed_one_keeps_its_data() {
    in_lab(|lab| async move {
        shop::create(&lab, 1000).await;
        lab.apply(&lab.document(NAME, &AT_FIRST)).await.unwrap();
        lab.until_caught_up(NAME).await;

        // Orders have notes that are too big for their rows: changes that come before the copy leave them out.
        let running = shop::work(&lab).await;
        lab.apply(&lab.document(NAME, &TABLES)).await.unwrap();
        let is_copied = |resource: &CdcReplication| {
            let mut tables = resource.status.iter().flat_map(|status| &status.tables);
            tables.any(|table| table.name == "public.orders" && table.phase == TablePhase::Streaming)
        };
        until(&lab.replications(), NAME, "the orders are copied", is_copied).await.unwrap();
        running.stop().await;
        shop::until_equal(&lab).await;
        lab.until_caught_up(NAME).await;

        lab.apply(&lab.document(NAME, &["public.orders", "public.products"])).await.unwrap();
        let has_two =
            |resource: &CdcReplication| resource.status.as_ref().is_some_and(|status| status.tables.len() == 2);
        until(&lab.replications(), NAME, "two tables are left", has_two).await.unwrap();
        lab.until_caught_up(NAME).await;
        lab.sql("DELETE FROM users WHERE id % 2 = 0; UPDATE orders SET status = 'paid'; UPDATE products SET stock = 3")
            .await;
        lab.until_equal(NAME, &["public.orders", "public.products"]).await;
        let (_, rows) = lab.oracle.count(&lab.table(NAME, "public.users")).await.unwrap();
        let left: i64 = lab.source.query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0);
        assert!(rows > left.unsigned_abs(), "the removed table went on: {rows} rows, {left} at the source");
    })
    .await;
}
