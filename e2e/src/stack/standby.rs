//! A standby of a stack's `PostgreSQL`: one that every commit waits for, or one that takes its server's place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::{Client, NoTls};

use super::directory::give_to_postgres;
use super::fetch::run;
use super::ports::{PortClaims, claim_one};
use super::process::{Process, Program, log_end};
use super::{Lifetime, POSTGRES_PASSWORD, POSTGRES_USER, Part, PortChoice, Stack, postgres};

/// What the primary knows it by, as a client and as the owner of a slot.
const NAME: &str = "standby";
/// How long it may take to follow the primary.
const PATIENCE: Duration = Duration::from_mins(2);

/// A standby. It ends when this is dropped, which must be before the stack is.
#[derive(Debug)]
pub struct Standby {
    process: Process,
    /// Of the primary.
    primary: String,
    /// Its own, of the database that always exists.
    url: String,
    port: u16,
    log: PathBuf,
    _claims: PortClaims,
}

impl Standby {
    /// Makes a synchronous one of the stack's server as it is: a commit is in the log, and decoded, and no snapshot sees it before
    /// the standby has applied it, which is not before `delay` has passed. The server commits nothing more when it has ended.
    pub async fn synchronous(stack: &Stack, delay: Duration) -> anyhow::Result<Self> {
        let delay = format!("recovery_min_apply_delay={}ms", delay.as_millis());
        let mut standby = Self::start(stack, &[delay]).await?;
        standby.until("state", "streaming").await?;
        let primary = connect(&standby.primary).await?;
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

    /// Makes one that keeps the slots with `failover` up to date (Postgres 17); `waited_for`: a change is delivered from these when
    /// the standby has it, not before.
    pub async fn of_slots(stack: &Stack, waited_for: bool) -> anyhow::Result<Self> {
        let primary = connect(&stack.addresses().postgres_url("postgres")).await?;
        primary.batch_execute(&format!("SELECT pg_create_physical_replication_slot('{NAME}', true)")).await?;
        if waited_for {
            primary.batch_execute(&format!("ALTER SYSTEM SET synchronized_standby_slots = '{NAME}'")).await?;
        }
        let slot = format!("primary_slot_name={NAME}");
        let settings = ["sync_replication_slots=on".to_owned(), "hot_standby_feedback=on".to_owned(), slot];
        let mut standby = Self::start(stack, &settings).await?;
        standby.until("state", "streaming").await?;
        Ok(standby)
    }

    async fn start(stack: &Stack, settings: &[String]) -> anyhow::Result<Self> {
        let (port, claims) = claim_one(stack.addresses().bind, PortChoice::Free)?;
        // Data are copied of a server that has ended, so that nobody may use it yet.
        stack.kill(Part::Postgres).await?;
        let program = program(stack, port, settings).context("cannot prepare the standby")?;
        stack.restart(Part::Postgres).await?;
        let process = Process::start(&program, Lifetime::WithParent)?;
        let own = super::Addresses { postgres: port, ..stack.addresses().clone() };
        Ok(Self {
            process,
            primary: stack.addresses().postgres_url("postgres"),
            url: own.postgres_url("postgres"),
            port,
            log: program.log,
            _claims: claims,
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether commits wait for it: `sync`, or what else `pg_stat_replication` says.
    pub async fn sync_state(&self) -> anyhow::Result<String> {
        self.says("sync_state").await
    }

    /// Whether it keeps this slot up to date.
    pub async fn keeps(&self, slot: &str) -> anyhow::Result<bool> {
        let query = "SELECT FROM pg_replication_slots WHERE slot_name = $1 AND synced AND NOT temporary";
        Ok(connect(&self.url).await?.query_opt(query, &[&slot]).await?.is_some())
    }

    /// Hears nothing of its server from now on.
    pub async fn cut_off(&mut self) -> anyhow::Result<()> {
        let standby = connect(&self.url).await?;
        standby.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").await?;
        standby.batch_execute("SELECT pg_reload_conf()").await?;
        self.until("state", NOT_CONNECTED).await
    }

    /// Takes the place of its server, which has ended.
    pub async fn promote(&self) -> anyhow::Result<()> {
        let promoted = connect(&self.url).await?.query_one("SELECT pg_promote()", &[]).await?;
        anyhow::ensure!(promoted.get::<_, bool>(0), "the standby was not promoted; {}", log_end(&self.log));
        Ok(())
    }

    async fn says(&self, column: &str) -> anyhow::Result<String> {
        let query = format!("SELECT {column} FROM pg_stat_replication WHERE application_name = '{NAME}'");
        let row = connect(&self.primary).await?.query_opt(&query, &[]).await?;
        Ok(row.map_or_else(|| NOT_CONNECTED.to_owned(), |row| row.get(0)))
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

const NOT_CONNECTED: &str = "not connected";

impl Drop for Standby {
    fn drop(&mut self) {
        self.process.kill();
    }
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}

/// Copies the data of the primary, which has ended, and says how to run the standby on it.
fn program(stack: &Stack, port: u16, settings: &[String]) -> anyhow::Result<Program> {
    let setup = &stack.setup;
    let (addresses, folder) = (&setup.addresses, setup.directory.path().join(NAME));
    let data = folder.join("data");
    std::fs::create_dir_all(&folder)?;
    let mut copy = Command::new("cp");
    run(copy.arg("-a").arg(setup.directory.part(Part::Postgres).join("data")).arg(&data), "it copies the primary")?;
    become_standby(&data, addresses)?;
    give_to_postgres(&folder)?;
    // Of a setting that is given twice the last one counts.
    let own = settings.iter().cloned().chain([format!("port={port}")]);
    let settings: Vec<String> = setup.postgres_settings.iter().cloned().chain(own).collect();
    let mut program = postgres::program(&setup.software, &setup.directory, addresses, &settings);
    program.arguments.extend(["-D".into(), data.into()]);
    Ok(Program { log: folder.join("log"), directory: folder, ..program })
}

/// Makes copied data those of a standby: slots and settings are its own, and whom it follows can be changed while it runs.
fn become_standby(data: &Path, addresses: &super::Addresses) -> anyhow::Result<()> {
    let slots = data.join("pg_replslot");
    std::fs::remove_dir_all(&slots)?;
    std::fs::create_dir(&slots)?;
    std::fs::write(data.join("standby.signal"), "")?;
    let settings = format!(
        "primary_conninfo = 'host={} port={} user={POSTGRES_USER} password={POSTGRES_PASSWORD} dbname=postgres application_name={NAME}'\n",
        addresses.bind, addresses.postgres
    );
    Ok(std::fs::write(data.join("postgresql.auto.conf"), settings)?)
}
