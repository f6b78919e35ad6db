//! A resource of twenty tables, some of which go while others come, under load: its connector does not notice.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tributary_e2e::oracle::TableLocation;
use tributary_e2e::pipeline::{DeltaLog, Phase, PipelineOptions, TableView};
use tributary_e2e::shop::Random;
use tributary_e2e::stack::Connectors;
use tributary_sources::postgres::slot;

use crate::shared::Bench;

const TABLES: usize = 20;
/// How often two tables go and two others come.
const CHANGES: usize = 3;
const ALL: usize = TABLES + 2 * CHANGES;
const ROWS: i64 = 500;
/// How long after its copy the first change of a table is committed, at most: the machine may be busy.
const SECONDS: f64 = 15.0;

/// The tables of the resource after so many changes.
fn tables(changes: usize) -> Vec<String> {
    (2 * changes..2 * changes + TABLES).map(|number| format!("public.t{number}")).collect()
}

async fn create(session: &Client) {
    for number in 0..ALL {
        let create = format!(
            "CREATE TABLE t{number} (id int PRIMARY KEY, n int NOT NULL, text text NOT NULL);
             INSERT INTO t{number} SELECT id, 0, repeat('x', 100) FROM generate_series(1, {ROWS}) id"
        );
        session.batch_execute(&create).await.unwrap();
    }
}

/// What goes on beside the changes of the resource, until it is told to stop.
struct Beside<T> {
    stop: watch::Sender<bool>,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Beside<T> {
    fn start<F: Future<Output = T> + Send + 'static>(run: impl FnOnce(watch::Receiver<bool>) -> F) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(stopped)) }
    }

    async fn stop(self) -> T {
        self.stop.send(true).unwrap();
        self.task.await.unwrap()
    }
}

/// Changes rows of all tables, also of those that are not in the resource; how many transactions.
async fn load(session: Client, stopped: watch::Receiver<bool>) -> u64 {
    let (mut random, mut transactions) = (Random::new(20), 0);
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    while !*stopped.borrow() {
        pace.tick().await;
        let mut table = || random.below(ALL as i64);
        let (updated, deleted, inserted) = (table(), table(), table());
        let id = random.below(ROWS) + 1;
        let transaction = format!(
            "BEGIN; UPDATE t{updated} SET n = n + 1 WHERE id % 50 = {id} % 50; DELETE FROM t{deleted} WHERE id = {id};
             INSERT INTO t{inserted} VALUES ({id}, 1, 'new') ON CONFLICT (id) DO UPDATE SET n = excluded.n; COMMIT"
        );
        session.batch_execute(&transaction).await.unwrap();
        transactions += 1;
    }
    transactions
}

/// The states of a connector and its tasks, and the process of the server that serves it, with its start.
type Connection = (Vec<String>, Option<(i32, String)>);

/// All that is ever seen of a connector, and how often it was looked at.
async fn watch(
    connectors: Connectors,
    name: String,
    slot: String,
    session: Client,
    stopped: watch::Receiver<bool>,
) -> (HashSet<Connection>, u64) {
    let query = "SELECT sender.pid, sender.backend_start::text FROM pg_replication_slots slot
        JOIN pg_stat_replication sender ON sender.pid = slot.active_pid WHERE slot_name = $1";
    let (mut seen, mut looks) = (HashSet::new(), 0);
    while !*stopped.borrow() {
        let status = connectors.status(&name).await.unwrap().unwrap();
        let states = std::iter::once(status.connector).chain(status.tasks).map(|work| work.state).collect();
        let sender = session.query_opt(query, &[&slot]).await.unwrap();
        seen.insert((states, sender.map(|row| (row.get(0), row.get(1)))));
        looks += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (seen, looks)
}

/// A Delta table that is not written any more, with its version and rows.
struct Removed {
    location: TableLocation,
    state: (i64, u64),
}

/// Publishes the next tables and has the replicator's process go and come, as the operator does with its pods.
async fn change(bench: &mut Bench, number: usize) -> Vec<Removed> {
    let removed = &tables(number - 1)[..2];
    let locations: Vec<_> = removed.iter().map(|table| bench.pipeline.location(table).unwrap()).collect();
    let list: Vec<_> = tables(number).iter().map(|name| serde_json::json!({ "name": name })).collect();
    bench.pipeline.edit(|document| document["spec"]["tables"] = list.into());
    bench.pipeline.publish().await.unwrap();
    bench.pipeline.terminate().await.unwrap();
    bench.pipeline.replicate().unwrap();
    let mut removed = Vec::new();
    for location in locations {
        removed.push(Removed { state: bench.oracle.count(&location).await.unwrap(), location });
    }
    removed
}

/// Seconds from the end of a table's copy to the commit of its first change, by the clock of its log.
fn followed_after(log: &DeltaLog) -> Option<f64> {
    let time = |info: &serde_json::Value| info["timestamp"].as_i64();
    let copied = log.commits.iter().flat_map(|commit| commit.all("commitInfo"));
    let copied = copied.filter(|info| info["operation"] == "WRITE").filter_map(time).max()?;
    let first = log.commits.iter().find(|commit| commit.offset_range().is_some())?;
    Some((first.all("commitInfo").find_map(time)? - copied) as f64 / 1000.0)
}

/// Waits until a table that was added is followed.
async fn until_followed(bench: &Bench, table: &str) {
    let mut after = None;
    let is_followed = async || {
        after = bench.pipeline.delta_log(table).await.ok().as_ref().and_then(followed_after);
        after.is_some()
    };
    bench.pipeline.wait(&format!("{table} is followed"), is_followed).await.unwrap();
    let after = after.unwrap();
    println!("{table}: its first change was committed {after:.1} s after its copy");
    assert!(after < SECONDS, "{table} was followed {after} s after its copy\n{}", bench.pipeline.diagnosis().await);
}

/// Twenty tables that are followed.
async fn followed() -> Bench {
    let names = tables(0);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&PipelineOptions::json(&names)).await;
    create(bench.pipeline.source()).await;
    bench.pipeline.start().await.unwrap();
    until_all(&bench, "are followed", |table| table.phase == Phase::Streaming).await;
    bench
}

async fn until_all(bench: &Bench, what: &str, holds: impl Fn(&TableView) -> bool) {
    let all = |tables: &[TableView]| tables.len() == TABLES && tables.iter().all(&holds);
    bench.pipeline.wait_until(&format!("all tables {what}"), all).await.unwrap();
}

#[tokio::test]
async fn twenty_tables_under_load_of_which_some_go_and_some_come_have_one_connector_that_goes_on() {
    let mut bench = followed().await;
    let (session, connectors) = (bench.pipeline.session().await.unwrap(), bench.pipeline.stack().connectors());
    let (name, slot) = (bench.pipeline.name().to_owned(), slot(&bench.pipeline.resource().unwrap()));
    let watched = Beside::start(|stopped| watch(connectors, name, slot, session, stopped));
    let session = bench.pipeline.session().await.unwrap();
    let loaded = Beside::start(|stopped| load(session, stopped));
    until_all(&bench, "have changes", |table| table.position.is_some()).await;

    let mut removed = Vec::new();
    for number in 1..=CHANGES {
        removed.extend(change(&mut bench, number).await);
        for table in &tables(number)[TABLES - 2..] {
            until_followed(&bench, table).await;
        }
    }
    println!("{} transactions beside that", loaded.stop().await);
    let names = tables(CHANGES);
    bench.until_equal(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let (seen, looks) = watched.stop().await;
    println!("looked {looks} times at the connector: {seen:?}");
    let running = |(states, sender): &Connection| states.iter().all(|state| state == "RUNNING") && sender.is_some();
    assert!(looks > 20 && seen.len() == 1 && seen.iter().all(running), "{looks}: {seen:?}");
    for Removed { location, state } in removed {
        assert!(state.1 > 0, "{} has lost its rows", location.uri());
        assert_eq!(bench.oracle.count(&location).await.unwrap(), state, "{}", location.uri());
    }
    let copies = bench.pipeline.log().unwrap().matches("rows are copied").count();
    assert_eq!(copies, ALL, "each table is copied once");
}
