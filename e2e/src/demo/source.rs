//! The shop's database, as the demo uses it.

use anyhow::Context;
use tokio_postgres::{Client, NoTls};

use crate::shop;
use crate::stack::Addresses;

/// The last transaction of a workload: it changes a row of each table, so that each Delta table must get past its position.
const LAST_TRANSACTION: &str = "BEGIN;
    UPDATE users SET last_seen_at = clock_timestamp() WHERE id = (SELECT max(id) FROM users);
    UPDATE products SET stock = stock + 1 WHERE sku = (SELECT max(sku) FROM products);
    UPDATE orders SET status = 'paid', shipped_at = clock_timestamp()::timestamp WHERE id = (SELECT max(id) FROM orders);
    COMMIT";

/// A session in this database.
pub(super) async fn connect(addresses: &Addresses, database: &str) -> anyhow::Result<Client> {
    let connected = tokio_postgres::connect(&addresses.postgres_url(database), NoTls).await;
    let (client, connection) = connected.with_context(|| format!("cannot connect to the database {database}"))?;
    // It ends with the client; an error is also that of the client's next query.
    tokio::spawn(connection);
    Ok(client)
}

/// Creates the shop's database with so many orders, and opens a session in it.
pub(super) async fn create(addresses: &Addresses, database: &str, orders: u32) -> anyhow::Result<Client> {
    let server = connect(addresses, "postgres").await?;
    server.batch_execute(&format!("CREATE DATABASE \"{database}\"")).await.context("cannot create the database")?;
    let client = connect(addresses, database).await?;
    shop::create(&client).await.context("cannot create the shop's tables")?;
    shop::seed(&client, orders).await.context("cannot fill the shop's tables")?;
    Ok(client)
}

/// The number of rows of each table, all at one moment.
pub(super) async fn count(client: &Client, tables: &[String]) -> anyhow::Result<Vec<u64>> {
    let counts: Vec<_> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
    let row = client.query_one(&format!("SELECT {}", counts.join(", ")), &[]).await.context("cannot count rows")?;
    Ok((0..tables.len()).map(|table| row.get::<_, i64>(table).unsigned_abs()).collect())
}

/// Changes every table once more, and returns a position of the log that all earlier changes are before and this one is
/// behind.
pub(super) async fn change_every_table(client: &Client) -> anyhow::Result<Position> {
    let row = client.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).await?;
    client.batch_execute(LAST_TRANSACTION).await.context("the last transaction failed")?;
    let text: &str = row.get(0);
    Position::parse(text).with_context(|| format!("{text} is not a position of Postgres' log"))
}

/// A position in Postgres' write-ahead log (LSN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(u64);

impl Position {
    /// Reads `0/16B3748`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        Some(Self(u64::from_str_radix(high, 16).ok()? << 32 | u64::from(u32::from_str_radix(low, 16).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_as_numbers_not_as_text() {
        let position = |text| Position::parse(text).unwrap();
        assert!(position("0/9000000") < position("0/16B37480"));
        assert!(position("0/FFFFFFFF") < position("1/0"));
        assert_eq!(Position::parse("16B3748"), None);
    }
}
