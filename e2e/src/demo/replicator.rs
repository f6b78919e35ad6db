//! The replicator as a process: started beside this program, asked how its tables are, stopped as Kubernetes would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;
use serde::Deserialize;

use crate::stack::{Lifetime, Process, ProcessId, Program, log_end};

/// How long the replicator may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `replicator run`. It is stopped when it is dropped.
pub(super) struct Replicator {
    process: Option<Process>,
    url: String,
    log: PathBuf,
    http: reqwest::Client,
}

/// What `/tables` says of one table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableState {
    pub(super) name: String,
    pub(super) phase: String,
    pub(super) rows: Option<u64>,
    pub(super) snapshot_percent: Option<u8>,
    pub(super) position: Option<String>,
    pub(super) lag_seconds: Option<f64>,
    pub(super) lag_messages: Option<u64>,
    #[serde(default)]
    pub(super) commits: u64,
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

impl Replicator {
    /// Starts `replicator run` with `shop.yaml` and `secrets` of this folder, and waits until it answers on this port.
    pub(super) async fn start(directory: &Path, port: u16, lifetime: Lifetime) -> anyhow::Result<Self> {
        let log = directory.join("logs").join("replicator.log");
        let program = Program {
            path: beside_this_program("replicator")?,
            arguments: ["--log-format", "text", "run", "--file", "shop.yaml", "--secrets", "secrets"]
                .map(Into::into)
                .into(),
            environment: vec![],
            directory: directory.to_owned(),
            user: None,
            log: log.clone(),
            kill_signal: Signal::KILL,
        };
        let process = Process::start(&program, lifetime)?;
        let url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let mut replicator = Self { process: Some(process), url, log, http };
        replicator.until_it_answers().await?;
        Ok(replicator)
    }

    async fn until_it_answers(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.tables().await {
            self.check()?;
            anyhow::ensure!(
                Instant::now() < deadline,
                "the replicator does not answer ({error:#}); {}",
                self.log_end()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Where it answers, as `http://host:port`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    pub(super) fn log_end(&self) -> String {
        log_end(&self.log)
    }

    /// An error if it has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.process.as_mut().and_then(Process::ended) {
            Some(status) => anyhow::bail!("the replicator ended with {status}; {}", self.log_end()),
            None => Ok(()),
        }
    }

    /// The state of its tables.
    pub(super) async fn tables(&self) -> anyhow::Result<Vec<TableState>> {
        let answer = self.http.get(format!("{}/tables", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// How many changes of each table are in Delta, by its metrics.
    pub(super) async fn changes(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await?;
        Ok(parse_changes(&answer.error_for_status()?.text().await?))
    }

    /// Lets it run on without this program.
    pub(super) fn detach(mut self) -> anyhow::Result<ProcessId> {
        let process = self.process.take().context("the replicator was left to itself already")?;
        Ok(process.id())
    }

    /// Asks it to end, as Kubernetes does, and says how it ended.
    pub(super) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let process = self.process.as_mut().context("the replicator was left to itself")?;
        process.id().signal(Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.ended() {
                return Ok(status);
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the replicator still runs {} s after SIGTERM; {}",
                PATIENCE.as_secs(),
                log_end(&self.log)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.id().stop(Signal::TERM, Duration::from_secs(5));
            process.kill();
        }
    }
}

/// The program of this name in the folder of the one that runs.
fn beside_this_program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find out where this program is")?;
    let path = own.with_file_name(name);
    anyhow::ensure!(
        path.is_file(),
        "{} is missing: build it with `cargo build -p tributary-replicator`",
        path.display()
    );
    Ok(path)
}

/// Sums `tributary_events_total` over the operations, except the snapshot's reads.
fn parse_changes(metrics: &str) -> BTreeMap<String, u64> {
    let mut changes = BTreeMap::new();
    for line in metrics.lines().filter_map(|line| line.strip_prefix("tributary_events_total{")) {
        let Some((labels, value)) = line.split_once("} ") else { continue };
        let label = |name: &str| labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_suffix('"'));
        let (Some(table), Some(op)) = (label("table=\""), label("op=\"")) else { continue };
        if let (true, Ok(value)) = (op != "read", value.parse::<u64>()) {
            *changes.entry(table.to_owned()).or_default() += value;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_tables_are_read() {
        // Recorded: one table that follows changes, one that waits.
        let answer = r#"[{"name":"public.orders","target":"s3://lake/shop/sales/orders","phase":"Streaming","rows":205262,
            "position":"0/6165510","lagSeconds":4.062,"lagMessages":0,"deltaVersion":72,"commits":72,
            "lastCommit":"2026-11-21T13:30:01.097733873Z"},
            {"name":"public.users","target":"s3://lake/shop/public/users","phase":"Waiting","commits":0,
            "message":"starting"}]"#;
        let tables: Vec<TableState> = serde_json::from_str(answer).unwrap();
        let [orders, users] = tables.as_slice() else { panic!("{tables:?}") };
        assert_eq!((orders.rows, orders.lag_seconds, orders.commits), (Some(205_262), Some(4.062), 72));
        assert_eq!(orders.position.as_deref(), Some("0/6165510"));
        assert_eq!((users.rows, users.phase.as_str(), users.message.as_deref()), (None, "Waiting", Some("starting")));
    }

    #[test]
    fn changes_are_the_events_that_are_not_reads() {
        let metrics = "# TYPE tributary_events counter\n\
            tributary_events_total{table=\"public.users\",op=\"read\"} 4\n\
            tributary_events_total{table=\"public.users\",op=\"update\"} 3\n\
            tributary_events_total{op=\"delete\",table=\"public.users\"} 2\n\
            tributary_rows{table=\"public.users\"} 5\n";
        assert_eq!(parse_changes(metrics), BTreeMap::from([("public.users".to_owned(), 5)]));
    }
}
