//! Sessions that change a table of few rows side by side, by transactions of every kind and end.

use std::fmt::Debug;
use std::ops::AddAssign;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};
use tributary_e2e::shop::Random;

use super::super::{Source, connect};

/// Keys are below this one.
pub(super) const IDS: i64 = 300;

/// Commits of the eighth session wait for a standby that there is not, until they are told not to.
pub(super) const SETTINGS: [&str; 4] = [
    "max_prepared_transactions=16",
    "deadlock_timeout=20ms",
    "synchronous_commit=local",
    "synchronous_standby_names=nobody",
];

/// Each transaction leaves its number in `seen`: what sees that row sees the transaction.
pub(super) const TABLES: &str = "CREATE TABLE items (id int PRIMARY KEY, n bigint NOT NULL);
    CREATE TABLE seen (transaction bigint NOT NULL);
    CREATE FUNCTION begun() RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (pg_current_xact_id()::text::bigint)'";

/// How transactions ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) committed: usize,
    pub(super) rolled_back: usize,
    pub(super) prepared: usize,
    /// Their commit was in the log long before others saw them.
    pub(super) late: usize,
    /// By a deadlock, or because a key was taken.
    pub(super) refused: usize,
}

impl AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.committed += other.committed;
        self.rolled_back += other.rolled_back;
        self.prepared += other.prepared;
        self.late += other.late;
        self.refused += other.refused;
    }
}

/// Eight sessions, each with so many transactions.
pub(super) async fn run(source: &Source, transactions: usize) -> Ends {
    let run = async |number| Writer::connect(source, number).await.run(transactions).await;
    let mut all = Ends::default();
    for ends in join_all((0..8).map(run)).await {
        all += ends;
    }
    all
}

struct Writer {
    client: Client,
    random: Random,
    number: i64,
    /// No two values that are written are the same.
    last: i64,
    ends: Ends,
}

impl Writer {
    async fn connect(source: &Source, number: i64) -> Self {
        let client = connect(&source.stack.addresses().postgres_url("shop")).await;
        let random = Random::new(number.unsigned_abs() + 1);
        Self { client, random, number, last: number * 1_000_000, ends: Ends::default() }
    }

    async fn run(mut self, transactions: usize) -> Ends {
        for _ in 0..transactions {
            let Err(error) = self.transaction().await else { continue };
            let code = error.code().unwrap_or_else(|| panic!("{error}"));
            let expected =
                [SqlState::UNIQUE_VIOLATION, SqlState::T_R_DEADLOCK_DETECTED, SqlState::QUERY_CANCELED].contains(code);
            assert!(expected, "{error}");
            self.client.batch_execute("ROLLBACK").await.unwrap();
            self.ends.refused += 1;
        }
        self.ends
    }

    /// One that is quick, or one that stays open for a while after each of its statements.
    async fn transaction(&mut self) -> Result<(), Error> {
        let lingers = self.random.one_in(5);
        self.client.batch_execute("BEGIN; SELECT begun()").await?;
        for _ in 0..=self.random.below(4) {
            let statement = self.maybe_in_subtransactions();
            self.client.batch_execute(&statement).await?;
            if lingers {
                self.pause().await;
            }
        }
        self.end().await
    }

    async fn pause(&mut self) {
        sleep(Duration::from_millis(self.random.below(40).unsigned_abs())).await;
    }

    /// Now and then there are more of them than a server keeps at hand (64).
    fn maybe_in_subtransactions(&mut self) -> String {
        let count = match self.random.below(60) {
            0 => 70,
            1..20 => 1,
            _ => return self.statement(),
        };
        let one = |writer: &mut Self| {
            let end = if writer.random.one_in(2) { "ROLLBACK TO" } else { "RELEASE" };
            format!("SAVEPOINT part; {}; {end} part;", writer.statement())
        };
        (0..count).map(|_| one(self)).collect()
    }

    fn statement(&mut self) -> String {
        self.last += 1;
        let (id, other, n) = (self.random.below(IDS), self.random.below(IDS), self.last);
        match self.random.below(8) {
            0 | 1 => format!("INSERT INTO items VALUES ({id}, {n}) ON CONFLICT (id) DO UPDATE SET n = excluded.n"),
            2 => format!(
                "INSERT INTO items SELECT id, {n} FROM generate_series({id}, {id} + 20, 4) id WHERE id < {IDS} ON CONFLICT DO NOTHING"
            ),
            3 | 4 => format!("UPDATE items SET n = {n} WHERE id = {id}"),
            5 => format!("UPDATE items SET n = {n} WHERE id IN ({id}, {other})"),
            6 => format!("DELETE FROM items WHERE id IN ({id}, {other})"),
            _ => format!(
                "UPDATE items SET id = {other}, n = {n} WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {other})"
            ),
        }
    }

    async fn end(&mut self) -> Result<(), Error> {
        match self.random.below(8) {
            0 => {
                self.client.batch_execute("ROLLBACK").await?;
                self.ends.rolled_back += 1;
            }
            1 => self.end_in_two_phases().await?,
            _ if self.number == 7 => {
                self.commit_late().await?;
                self.ends.late += 1;
            }
            _ => {
                self.client.batch_execute("COMMIT").await?;
                self.ends.committed += 1;
            }
        }
        Ok(())
    }

    async fn end_in_two_phases(&mut self) -> Result<(), Error> {
        let name = format!("{}-{}", self.number, self.last);
        self.client.batch_execute(&format!("PREPARE TRANSACTION '{name}'")).await?;
        self.pause().await;
        let end = if self.random.one_in(4) { "ROLLBACK" } else { "COMMIT" };
        self.client.batch_execute(&format!("{end} PREPARED '{name}'")).await?;
        self.ends.prepared += 1;
        Ok(())
    }

    /// What is told to stop waiting for the standby has committed all the same.
    async fn commit_late(&self) -> Result<(), Error> {
        let commit = self.client.batch_execute("SET LOCAL synchronous_commit = on; COMMIT");
        tokio::pin!(commit);
        loop {
            tokio::select! {
                ended = &mut commit => return ended,
                () = sleep(Duration::from_millis(15)) => self.client.cancel_token().cancel_query(NoTls).await?,
            }
        }
    }
}
