//! What is asked of a source and done to it, against a real PostgreSQL of each test's own.

mod catalogue;
mod cleanup;
mod connection;
mod exactness;
mod preflight;
mod publication;
mod rows;
mod server;
mod snapshot;

use serde_json::json;
use tokio_postgres::NoTls;
use tributary_crds::{CdcReplication, Postgres};
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER, Part, Stack, StackOptions};
use tributary_sources::postgres::{Credentials, Finding, preflight};

/// A server with a database `shop`.
pub(crate) struct Source {
    stack: Stack,
    admin: tokio_postgres::Client,
}

impl Source {
    async fn start(settings: &[&str]) -> Self {
        let postgres_settings = settings.iter().map(ToString::to_string).collect();
        let options = StackOptions { postgres_settings, ..StackOptions::only([Part::Postgres]) };
        let stack = Stack::up(options).await.unwrap();
        let url = |database| stack.addresses().postgres_url(database);
        connect(&url("postgres")).await.batch_execute("CREATE DATABASE shop").await.unwrap();
        let admin = connect(&url("shop")).await;
        Self { stack, admin }
    }

    async fn sql(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    fn postgres(&self) -> Postgres {
        self.resource(&[]).spec.source.postgres.unwrap()
    }

    fn resource(&self, tables: &[&str]) -> CdcReplication {
        let tables: Vec<_> = tables.iter().map(|table| json!({ "name": table })).collect();
        let addresses = self.stack.addresses();
        serde_json::from_value(json!({
            "metadata": {"name": "shop", "namespace": "e2e"},
            "spec": {
                "source": {"postgres": {
                    "host": addresses.bind.to_string(), "port": addresses.postgres, "database": "shop",
                    "credentials": {"secretName": "shop"},
                }},
                "tables": tables, "kafka": {}, "destination": {"uri": "file:///lake"},
            }
        }))
        .unwrap()
    }

    /// What is found by this user; shown, because people are to read it.
    async fn found_by(&self, credentials: &Credentials, tables: &[&str]) -> Vec<Finding> {
        let found = preflight(&self.resource(tables), &self.postgres(), credentials).await.unwrap().1;
        for finding in &found {
            println!("{:?} {}: {finding}", finding.severity, finding.reason);
        }
        found
    }
}

fn superuser() -> Credentials {
    Credentials { username: POSTGRES_USER.to_owned(), password: POSTGRES_PASSWORD.to_owned() }
}

/// The user that the tests create.
fn cdc() -> Credentials {
    Credentials { username: "cdc".to_owned(), password: "secret".to_owned() }
}

fn reasons(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(|finding| finding.reason).collect()
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
