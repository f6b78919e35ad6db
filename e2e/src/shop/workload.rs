//! Runs transactions against the shop at a steady rate and counts what was committed.

use std::fmt::{Display, Formatter};
use std::time::Duration;

use tokio::time::{Interval, interval};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::random::Random;
use super::transaction::{self, Change, Extent, Transaction};

/// A deterministic mix of inserts, updates, deletes, key changes and transactions over several tables, some rolled back.
///
/// One runs in one session. Several may run side by side, with a seed and a session each.
pub struct Workload {
    random: Random,
    pace: Option<Duration>,
    carts: bool,
}

/// What a workload has committed: transactions, and rows by what was done to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Committed transactions.
    pub transactions: u64,
    /// Transactions that were rolled back; none of their rows are counted.
    pub rolled_back: u64,
    /// Inserted rows.
    pub inserts: u64,
    /// Updated rows whose key stayed.
    pub updates: u64,
    /// Deleted rows.
    pub deletes: u64,
    /// Rows whose key changed.
    pub key_changes: u64,
    /// TRUNCATE statements.
    pub truncates: u64,
}

impl Workload {
    /// `rate` is in transactions per second; 0 is as many as Postgres takes.
    pub fn new(seed: u64, rate: u32) -> Self {
        let pace = (rate > 0).then(|| Duration::from_secs(1) / rate);
        Self { random: Random::new(seed), pace, carts: false }
    }

    /// Also fills, changes and truncates the table of [shopping carts](super::create_carts).
    #[must_use]
    pub fn with_carts(mut self) -> Self {
        self.carts = true;
        self
    }

    /// Runs so many transactions.
    pub async fn run(&mut self, client: &Client, transactions: u64) -> Result<Counts, Error> {
        let mut left = transactions;
        let stop = move |_: &Counts| {
            left = left.saturating_sub(1);
            left == 0
        };
        if transactions == 0 { Ok(Counts::default()) } else { self.run_while(client, stop).await }
    }

    /// Runs until `stop` says so; it sees the counts so far after each transaction.
    pub async fn run_while(&mut self, client: &Client, mut stop: impl FnMut(&Counts) -> bool) -> Result<Counts, Error> {
        let mut pace = self.pace.map(interval);
        let mut counts = Counts::default();
        let mut extent = extent(client).await?;
        loop {
            wait(pace.as_mut()).await;
            let transaction = transaction::next(&mut self.random, extent, self.carts);
            execute(client, &transaction, &mut counts).await?;
            if stop(&counts) {
                return Ok(counts);
            }
            // New rows are at the end of the key range; looking for it now and then is enough to reach them.
            if (counts.transactions + counts.rolled_back).is_multiple_of(100) {
                extent = self::extent(client).await?;
            }
        }
    }
}

async fn wait(pace: Option<&mut Interval>) {
    if let Some(pace) = pace {
        pace.tick().await;
    }
}

async fn extent(client: &Client) -> Result<Extent, Error> {
    let query = "SELECT greatest((SELECT max(id) FROM users), 1), greatest((SELECT max(id) FROM orders), 1),
        (SELECT last_value FROM product_numbers)";
    let row = client.query_one(query, &[]).await?;
    Ok(Extent { users: row.get(0), orders: row.get(1), products: row.get(2) })
}

/// Runs one transaction in one round trip. A deadlock with a workload beside it counts as rolled back.
async fn execute(client: &Client, transaction: &Transaction, counts: &mut Counts) -> Result<(), Error> {
    let statements: Vec<_> = transaction.statements.iter().map(|statement| statement.sql.as_str()).collect();
    let end = if transaction.rolled_back { "ROLLBACK" } else { "COMMIT" };
    let script = format!("BEGIN; {}; {end}", statements.join("; "));
    match client.simple_query(&script).await {
        Ok(_) if transaction.rolled_back => counts.rolled_back += 1,
        Ok(messages) => counts.add(transaction, &messages),
        Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {
            client.batch_execute("ROLLBACK").await?;
            counts.rolled_back += 1;
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

impl Counts {
    /// The first message is that of BEGIN.
    fn add(&mut self, transaction: &Transaction, messages: &[SimpleQueryMessage]) {
        self.transactions += 1;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        for (statement, rows) in transaction.statements.iter().zip(rows.skip(1)) {
            match statement.counts_as {
                Change::Insert => self.inserts += rows,
                Change::Update => self.updates += rows,
                Change::Delete => self.deletes += rows,
                Change::Rekey => self.key_changes += rows,
                Change::Truncate => self.truncates += 1,
            }
        }
    }

    /// All changed rows.
    pub fn rows(&self) -> u64 {
        self.inserts + self.updates + self.deletes + self.key_changes
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.rolled_back += other.rolled_back;
        self.inserts += other.inserts;
        self.updates += other.updates;
        self.deletes += other.deletes;
        self.key_changes += other.key_changes;
        self.truncates += other.truncates;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { transactions, rolled_back, inserts, updates, deletes, key_changes, truncates } = self;
        write!(
            f,
            "{transactions} transactions ({rolled_back} rolled back): {inserts} inserts, {updates} updates, \
             {deletes} deletes, {key_changes} key changes, {truncates} truncates"
        )
    }
}
