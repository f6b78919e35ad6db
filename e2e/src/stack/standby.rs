//! A standby of a stack's `PostgreSQL`, which every commit waits for, and which takes its time.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::{Client, NoTls};

use super::directory::{give_to_postgres, postgres_user};
use super::fetch::run;
use super::ports::{PortClaims, claim_one};
use super::process::{Process, Program, log_end};
use super::setup::Setup;
use super::{Lifetime, POSTGRES_PASSWORD, POSTGRES_USER, PortChoice, Stack, postgres};

/// What the primary knows it by.
const NAME: &str = "standby";
/// How long it may take to follow the primary.
const PATIENCE: Duration = Duration::from_mins(2);

/// A synchronous standby: a commit is in the log, and decoded, and no snapshot sees it before the standby has applied it. It ends
/// when this is dropped, which must be before the stack is; a primary whose standby has ended commits nothing more.
#[derive(Debug)]
pub struct Standby {
    process: Process,
    /// Of the primary.
    url: String,
    log: PathBuf,
    _claims: PortClaims,
}

impl Standby {
    /// Makes it of the stack's server as it is, and has all commits of sessions that begin from then on wait until the standby has
    /// applied them, which is not before `delay` has passed.
    pub async fn start(stack: &Stack, delay: Duration) -> anyhow::Result<Self> {
        let (port, claims) = claim_one(stack.addresses().bind, PortChoice::Free)?;
        let setup = Arc::clone(&stack.setup);
        let prepared = tokio::task::spawn_blocking(move || program(&setup, port, delay)).await;
        let program = prepared?.context("cannot prepare the standby")?;
        let process = Process::start(&program, Lifetime::WithParent)?;
        let url = stack.addresses().postgres_url("postgres");
        let mut standby = Self { process, url, log: program.log, _claims: claims };
        standby.until("state", "streaming").await?;
        let primary = standby.primary().await?;
        for statement in [
            format!("ALTER SYSTEM SET synchronous_standby_names = '{NAME}'"),
            // The stack's own setting is one of the command line, which outdoes ALTER SYSTEM.
            format!("ALTER ROLE {POSTGRES_USER} SET synchronous_commit = remote_apply"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            primary.batch_execute(&statement).await?;
        }
        standby.until("sync_state", "sync").await?;
        Ok(standby)
    }

    /// Whether commits wait for it: `sync`, or what else `pg_stat_replication` says.
    pub async fn sync_state(&self) -> anyhow::Result<String> {
        self.says("sync_state").await
    }

    async fn says(&self, column: &str) -> anyhow::Result<String> {
        let query = format!("SELECT {column} FROM pg_stat_replication WHERE application_name = '{NAME}'");
        let row = self.primary().await?.query_opt(&query, &[]).await?;
        Ok(row.map_or_else(|| "not connected".to_owned(), |row| row.get(0)))
    }

    async fn primary(&self) -> anyhow::Result<Client> {
        let connected = tokio_postgres::connect(&self.url, NoTls).await;
        let (client, connection) = connected.context("cannot connect to Postgres")?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn until(&mut self, column: &str, wanted: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is = self.says(column).await?;
            if is == wanted {
                return Ok(());
            }
            let ended = self.process.ended();
            anyhow::ensure!(ended.is_none(), "the standby has ended; {}", log_end(&self.log));
            anyhow::ensure!(Instant::now() < deadline, "the standby is {is}, not {wanted}; {}", log_end(&self.log));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// Copies the primary's data, and says how to run the standby on it. Blocks.
fn program(setup: &Setup, port: u16, delay: Duration) -> anyhow::Result<Program> {
    let (addresses, folder) = (&setup.addresses, setup.directory.path().join(NAME));
    std::fs::create_dir_all(&folder)?;
    give_to_postgres(&folder)?;
    let backup = setup.software.postgres_bin.join("pg_basebackup");
    let mut command = match postgres_user() {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--init-groups"]).arg(backup);
            command
        }
        None => Command::new(backup),
    };
    // With the file that makes it a standby.
    command.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-d"]).arg(addresses.postgres_url(""));
    run(command.arg("-D").arg(folder.join("data")).current_dir(&folder), "it copies the primary for a standby")?;
    let primary = format!(
        "host={} port={} user={POSTGRES_USER} password={POSTGRES_PASSWORD} application_name={NAME}",
        addresses.bind, addresses.postgres
    );
    // Of a setting that is given twice the last one counts.
    let own = [
        format!("port={port}"),
        format!("primary_conninfo={primary}"),
        format!("recovery_min_apply_delay={}ms", delay.as_millis()),
    ];
    let settings: Vec<String> = setup.postgres_settings.iter().cloned().chain(own).collect();
    let mut program = postgres::program(&setup.software, &setup.directory, addresses, &settings);
    program.arguments.extend(["-D".into(), folder.join("data").into()]);
    Ok(Program { log: folder.join("log"), directory: folder, ..program })
}
