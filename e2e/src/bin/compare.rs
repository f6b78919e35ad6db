//! Compares tables of a Postgres with Delta tables, row by row, and says what differs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tributary_e2e::compare::{TablePair, Verdict, equal, wait_until_equal};
use tributary_e2e::oracle::{Oracle, TableLocation};

/// Compares tables of a Postgres with Delta tables, row by row, through a reader that shares no code with the replicator.
#[derive(Parser)]
struct Arguments {
    /// The database, as `postgresql://user:password@host:port/database`.
    #[arg(long)]
    postgres: String,
    /// A pair `schema.table=address`; the address is file:// or s3://. May be repeated.
    #[arg(long = "table", required = true, value_parser = parse_pair)]
    tables: Vec<(String, String)>,
    /// An option of the object store, such as `aws_endpoint=http://127.0.0.1:4566`. May be repeated.
    #[arg(long = "option", value_parser = parse_pair)]
    options: Vec<(String, String)>,
    /// How many seconds to wait for the tables to become equal.
    #[arg(long, default_value_t = 0)]
    wait: u64,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    Ok((name.to_string(), value.to_string()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match compare(Arguments::parse()).await {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(arguments: Arguments) -> Result<Verdict> {
    let connected = tokio_postgres::connect(&arguments.postgres, tokio_postgres::NoTls).await;
    let (client, connection) = connected.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    let oracle = Oracle::start().await?;
    let location = |uri: &str| TableLocation::new(uri, arguments.options.clone());
    let tables: Vec<_> = arguments.tables.iter().map(|(name, uri)| TablePair::new(name, location(uri))).collect();
    Ok(match arguments.wait {
        0 => equal(&client, &oracle, &tables).await?,
        seconds => wait_until_equal(&client, &oracle, &tables, Duration::from_secs(seconds)).await?,
    })
}
