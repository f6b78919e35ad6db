//! The shop and the tables of types, on a real Postgres.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tributary_e2e::shop::{self, Counts, Workload};
use tributary_e2e::types_table;

use super::postgres;

/// The rows of a table as text, by the column `id`.
async fn rows(client: &Client, table: &str) -> BTreeMap<i64, String> {
    let rows = client.query(&format!("SELECT id::bigint, t::text FROM {table} t"), &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

async fn shop_rows(client: &Client) -> i64 {
    count(client, "users").await + count(client, "orders").await + count(client, "products").await
}

async fn run(client: &Client, seed: u64) -> Counts {
    Workload::new(seed, 0).run(client, 500).await.unwrap()
}

#[tokio::test]
async fn a_workload_does_what_it_counts_and_a_seed_gives_the_same_one_again() {
    let (first, second) = (postgres().await, postgres().await);
    for (_, client) in [&first, &second] {
        shop::create(client).await.unwrap();
        shop::seed(client, 2_000).await.unwrap();
    }
    let before = shop_rows(&first.1).await;
    assert_eq!(before, 2_000 + 200 + 1_000);
    let counts = run(&first.1, 7).await;
    assert_eq!(shop_rows(&first.1).await, before + counts.inserts as i64 - counts.deletes as i64);
    assert_eq!(counts.transactions + counts.rolled_back, 500);
    for happened in [counts.rolled_back, counts.updates, counts.deletes, counts.key_changes] {
        assert!(happened > 0, "{counts}");
    }
    assert_eq!(run(&second.1, 7).await, counts);
}

#[tokio::test]
async fn carts_are_truncated_if_asked_for() {
    let (_stack, client) = postgres().await;
    shop::create(&client).await.unwrap();
    shop::create_carts(&client).await.unwrap();
    shop::seed(&client, 100).await.unwrap();
    let counts = Workload::new(1, 0).with_carts().run(&client, 300).await.unwrap();
    assert!(counts.truncates > 0, "{counts}");
}

#[tokio::test]
async fn every_row_of_the_types_changes_and_big_values_are_out_of_line() {
    let (_stack, client) = postgres().await;
    types_table::create(&client).await.unwrap();
    types_table::seed(&client).await.unwrap();
    let out_of_line = "SELECT pg_relation_size(reltoastrelid) > 1000000 FROM pg_class WHERE oid = 'toasted'::regclass";
    assert!(client.query_one(out_of_line, &[]).await.unwrap().get::<_, bool>(0));
    let before = [rows(&client, "every_type").await, rows(&client, "toasted").await];
    types_table::change(&client).await.unwrap();
    let after = [rows(&client, "every_type").await, rows(&client, "toasted").await];
    for (before, after) in before.iter().zip(&after) {
        assert!(before.iter().all(|(id, row)| after.get(id) != Some(row)), "a row has not changed");
        assert!(after.keys().any(|id| !before.contains_key(id)), "no row is new");
    }
    assert_eq!(count(&client, "many_keys").await, 86);
}
