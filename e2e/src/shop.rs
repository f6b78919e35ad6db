//! The shop database: the tables that the demo and most tests replicate, their rows, and a workload that changes them.

mod random;
mod transaction;
mod workload;

use tokio_postgres::{Client, Error};

pub use random::Random;
pub use workload::{Counts, Workload};

/// The shop's tables, as `schema.table`.
pub const TABLES: [&str; 3] = ["public.users", "public.orders", "public.products"];

/// A table that a [`Workload`] can be told to fill and truncate.
pub const CARTS: &str = "public.carts";

const CREATE_CARTS: &str =
    "CREATE TABLE carts (id bigserial PRIMARY KEY, user_id bigint NOT NULL, content jsonb, changed_at timestamptz)";

/// Creates the three empty tables.
pub async fn create(client: &Client) -> Result<(), Error> {
    client.batch_execute(include_str!("shop/schema.sql")).await
}

/// Creates the table of shopping carts, which only a workload [with carts](Workload::with_carts) uses.
pub async fn create_carts(client: &Client) -> Result<(), Error> {
    client.batch_execute(CREATE_CARTS).await
}

/// Fills the tables: so many orders, a tenth as many users, and 1,000 products.
pub async fn seed(client: &Client, orders: u32) -> Result<(), Error> {
    let script = include_str!("shop/seed.sql").replace(":orders", &orders.to_string());
    client.batch_execute(&format!("{script} ANALYZE users, products, orders;")).await
}
