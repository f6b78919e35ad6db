//! Tables for the types: one with a column of every type that is replicated and its edge values, one whose values are big
//! enough for Postgres to store them out of line (TOAST), and one whose key is made of many types.

mod columns;
mod rows;

use tokio_postgres::{Client, Error};

/// The tables, as `schema.table`.
pub const TABLES: [&str; 3] = [EVERY_TYPE, TOASTED, MANY_KEYS];

/// A column of every type, with its edge values.
pub const EVERY_TYPE: &str = "public.every_type";

/// Big values that are stored out of line.
pub const TOASTED: &str = "public.toasted";

/// A primary key of many columns and types.
pub const MANY_KEYS: &str = "public.many_keys";

/// Creates the empty tables, with the extensions and types that they need.
pub async fn create(client: &Client) -> Result<(), Error> {
    client.batch_execute(include_str!("types_table/schema.sql")).await?;
    client.batch_execute(&rows::create_every_type()).await
}

/// Fills the tables: what a snapshot reads.
pub async fn seed(client: &Client) -> Result<(), Error> {
    client.batch_execute(&rows::seed_every_type()).await?;
    client.batch_execute(include_str!("types_table/seed.sql")).await
}

/// Changes every column of every row from each of its values to the next and to null, and back; inserts and deletes rows
/// and changes keys; leaves out-of-line values unchanged, alone and together. What a stream sends.
pub async fn change(client: &Client) -> Result<(), Error> {
    for round in 1..=rows::ROUNDS {
        client.batch_execute(&rows::change_every_type(round)).await?;
    }
    client.batch_execute(include_str!("types_table/changes.sql")).await
}
