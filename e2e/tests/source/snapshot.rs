//! Which transactions a snapshot contains, and when a copy may begin, asked of a real server.

use tokio_postgres::Client;
use tributary_sources::postgres::{Barrier, Session, connect, position, snapshot, tick};

use super::{Source, connect as client, superuser};

/// Clients with a transaction of their own that has changed something.
async fn writers(source: &Source, count: usize) -> Vec<Client> {
    let mut writers = Vec::new();
    for number in 0..count {
        let writer = client(&source.stack.addresses().postgres_url("shop")).await;
        writer.batch_execute(&format!("BEGIN; INSERT INTO t VALUES ({number})")).await.unwrap();
        writers.push(writer);
    }
    writers
}

async fn table() -> (Source, Session) {
    let source = Source::start(&["max_prepared_transactions=2"]).await;
    source.sql("CREATE TABLE t (id int)").await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    (source, session)
}

#[tokio::test]
async fn a_snapshot_contains_the_transactions_that_the_server_says_it_does() {
    let (source, session) = table().await;
    let mut open = writers(&source, 9).await;
    for (number, writer) in open.iter().enumerate() {
        match number % 3 {
            0 => writer.batch_execute("COMMIT").await.unwrap(),
            // Its own transactions do not count: the events have the top-level one.
            1 => writer.batch_execute("SAVEPOINT a; INSERT INTO t VALUES (100); RELEASE a").await.unwrap(),
            _ => {}
        }
    }
    session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    let seen = snapshot(&session).await.unwrap();
    for writer in open.drain(..) {
        writer.batch_execute("COMMIT").await.unwrap();
    }
    writers(&source, 3).await;
    for transaction in seen.xmin() - 3..seen.xmax() + 3 {
        let query = "SELECT pg_visible_in_snapshot($1::text::xid8, $2::text::pg_snapshot)";
        let visible: bool =
            session.query_one(query, &[&transaction.to_string(), &seen.to_string()]).await.unwrap().get(0);
        assert_eq!(seen.contains(transaction as u32), visible, "{transaction} in {seen}");
    }
    let rows: i64 = session.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 3, "the snapshot is that of all statements of its transaction");
}

#[tokio::test]
async fn a_barrier_waits_for_what_was_running_and_names_it_and_not_for_what_came_later() {
    let (source, session) = table().await;
    let before = writers(&source, 1).await.remove(0);
    let barrier = Barrier::raise(&session).await.unwrap();
    let later = writers(&source, 1).await.remove(0);
    let pid: i32 = before.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let waits = barrier.waits_for(&session).await.unwrap().unwrap();
    assert_eq!(waits.who, format!("the server process {pid}"));

    before.batch_execute("PREPARE TRANSACTION 'half'").await.unwrap();
    let waits = barrier.waits_for(&session).await.unwrap().unwrap();
    assert_eq!(waits.who, "the prepared transaction 'half'");
    before.batch_execute("COMMIT PREPARED 'half'").await.unwrap();
    assert_eq!(barrier.waits_for(&session).await.unwrap(), None);
    drop(later);
}

#[tokio::test]
async fn a_position_goes_on_with_each_tick() {
    let (_source, session) = table().await;
    let first = position(&session).await.unwrap();
    assert_eq!(first.timeline, 1);
    let ticked = tick(&session).await.unwrap();
    let second = position(&session).await.unwrap();
    assert_eq!((second.system, second.timeline), (first.system, first.timeline));
    assert!(first.lsn <= ticked && ticked < second.lsn, "{first} {ticked} {second}");
}
