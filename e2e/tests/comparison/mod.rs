//! The comparison itself: it must say "equal" of equal tables only, and name every kind of difference.

mod delta;
mod shop;

use std::time::Duration;

use delta::{DeltaTable, Thing};
use tokio_postgres::Client;
use tributary_e2e::compare::{CompareError, Difference, TablePair, Verdict, equal, wait_until_equal};
use tributary_e2e::oracle::{Oracle, OracleError};
use tributary_e2e::stack::{Part, Stack, StackOptions};

const THINGS: &str = "
    CREATE TABLE things (id int PRIMARY KEY, name text, amount numeric(12,2), at timestamptz, score float8, scores float8[]);
    INSERT INTO things VALUES
        (1, 'one', 0.10, '1970-01-01 00:00:00Z', 'NaN', '{1e-5,NULL,Infinity}'),
        (2, NULL, -9999999999.99, '2024-02-29 12:00:00.000001Z', '-0', '{}'),
        (3, E'a \"quote\"\\nand 東京', 3, 'infinity', 0.1, NULL)";

fn things() -> Vec<Thing> {
    let thing = |id, name, cents, microseconds, score, scores| Thing { id, name, cents, microseconds, score, scores };
    vec![
        thing(1, Some("one"), 10, 0, f64::NAN, Some(vec![Some(1e-5), None, Some(f64::INFINITY)])),
        thing(2, None, -999_999_999_999, 1_709_208_000_000_001, -0.0, Some(vec![])),
        thing(3, Some("a \"quote\"\nand 東京"), 300, 253_402_300_799_999_999, 0.1, None),
    ]
}

/// A Postgres of our own; it goes when the stack is dropped.
async fn postgres() -> (Stack, Client) {
    let stack = Stack::up(StackOptions::only([Part::Postgres])).await.unwrap();
    let url = stack.addresses().postgres_url("postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    (stack, client)
}

fn pair(table: &DeltaTable) -> [TablePair; 1] {
    [TablePair::new("public.things", table.location())]
}

fn difference(result: Result<Verdict, CompareError>) -> Difference {
    match result {
        Err(CompareError::Different(difference)) => difference,
        other => panic!("expected a difference, got {other:?}"),
    }
}

#[tokio::test]
async fn only_equal_tables_are_equal_and_every_kind_of_difference_is_named() {
    let (_stack, client) = postgres().await;
    client.batch_execute(THINGS).await.unwrap();
    let oracle = Oracle::start().await.unwrap();

    // Two files, and rows that a deletion vector hides.
    let mut table = DeltaTable::new();
    let stale = Thing { name: Some("stale"), ..things()[0].clone() };
    table.append(&[stale, things().remove(1)], &[0]);
    table.append(&[things().remove(0), things().remove(2)], &[]);
    let verdict = equal(&client, &oracle, &pair(&table)).await.unwrap();
    assert_eq!((verdict.tables[0].equal, verdict.tables[0].version), (3, 1));
    assert_eq!(oracle.count(&table.location()).await.unwrap(), (1, 3));

    let mut table = DeltaTable::new();
    let changed = Thing { score: 0.0, cents: 301, ..things().remove(2) };
    let surplus = Thing { id: 4, ..things().remove(0) };
    table.append(&[things().remove(0), things().remove(0), changed, surplus], &[]);
    let difference = difference(equal(&client, &oracle, &pair(&table)).await);
    let report = &difference.tables[0];
    let counts = [&report.missing, &report.surplus, &report.duplicates, &report.changed].map(|found| found.count);
    assert_eq!((report.equal, counts), (1, [1, 1, 1, 1]));
    let told = difference.to_string();
    for part in
        ["id=2", "id=4", "id=1", "id=3: amount=3.00 in Postgres, 3.01 in Delta; score=0.1 in Postgres, 0.0 in Delta"]
    {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[tokio::test]
async fn columns_that_only_one_side_has_or_of_another_type_are_differences() {
    let (_stack, client) = postgres().await;
    client.batch_execute(THINGS).await.unwrap();
    let oracle = Oracle::start().await.unwrap();
    let mut table = DeltaTable::new();
    table.append(&things(), &[]);
    let changes = "ALTER TABLE things DROP COLUMN score, ADD COLUMN added int, ALTER COLUMN name TYPE bytea USING NULL";
    client.batch_execute(changes).await.unwrap();
    let report = difference(equal(&client, &oracle, &pair(&table)).await).tables.remove(0);
    let expected = [
        "column name of type bytea must not become string",
        "column added is not in the Delta table",
        "column score is only in the Delta table",
    ];
    assert_eq!(report.problems, expected);
}

#[tokio::test]
async fn what_cannot_be_compared_is_an_error_and_leaves_the_session_usable() {
    let (_stack, client) = postgres().await;
    client.batch_execute("CREATE TABLE things (id int); CREATE TABLE empty (id int PRIMARY KEY)").await.unwrap();
    let oracle = Oracle::start().await.unwrap();
    let table = DeltaTable::new();
    let no_key = equal(&client, &oracle, &pair(&table)).await.unwrap_err();
    assert_eq!(no_key.to_string(), "public.things is not a table with a primary key");
    let not_there = equal(&client, &oracle, &[TablePair::new("empty", table.location())]).await.unwrap_err();
    assert!(matches!(not_there, CompareError::Oracle(OracleError::Table { .. })), "{not_there:?}");
    client.batch_execute("INSERT INTO empty VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn waiting_ends_when_the_tables_have_become_equal_or_says_what_is_different() {
    let (_stack, client) = postgres().await;
    client.batch_execute(THINGS).await.unwrap();
    let oracle = Oracle::start().await.unwrap();
    let mut table = DeltaTable::new();
    let pairs = pair(&table);

    let late = wait_until_equal(&client, &oracle, &pairs, Duration::ZERO).await.unwrap_err();
    assert!(matches!(late, CompareError::Oracle(OracleError::Table { .. })), "{late:?}");

    // The table appears while it is waited for, in two steps.
    let equality = wait_until_equal(&client, &oracle, &pairs, Duration::from_mins(1));
    let writing = async {
        table.append(&things()[..1], &[]);
        table.append(&things()[1..], &[]);
    };
    let (verdict, ()) = tokio::join!(equality, writing);
    assert_eq!(verdict.unwrap().tables[0].version, 1);

    // As many rows on both sides, but not the same.
    client.batch_execute("UPDATE things SET amount = 7 WHERE id = 3").await.unwrap();
    let late = wait_until_equal(&client, &oracle, &pairs, Duration::from_millis(1)).await;
    assert_eq!(difference(late).tables[0].changed.count, 1);
}
