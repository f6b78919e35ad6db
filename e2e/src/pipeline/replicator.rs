//! The replicator as a process.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use crate::stack::{Lifetime, Process, Program};

/// A running `replicator run`; it is killed when this is dropped, and when the program that started it dies.
pub struct Replicator {
    process: Process,
}

impl Replicator {
    /// Starts it on the resource in `file`; its log is appended to `log`.
    pub fn start(file: &Path, secrets: &Path, log: &Path) -> anyhow::Result<Self> {
        let program = Program {
            path: program()?,
            arguments: vec![
                "--log-format".into(),
                "text".into(),
                "run".into(),
                "-f".into(),
                file.into(),
                "--secrets".into(),
                secrets.into(),
            ],
            environment: vec![],
            directory: log.parent().context("a log is in a folder")?.to_owned(),
            user: None,
            log: log.to_owned(),
            kill_signal: Signal::KILL,
        };
        Ok(Self { process: Process::start(&program, Lifetime::WithParent)? })
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.process.id().signal(Signal::TERM);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits until it has ended by itself.
    pub async fn until_ended(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "the replicator runs on after {patience:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The most memory that it ever had resident, in bytes.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).context("/proc has no VmHWM")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// The replicator's program, which was built beside this one.
pub fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A test's program is in `deps`, others are beside the replicator.
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("replicator")).find(|path| path.is_file());
    found.context("the replicator is not built: run `cargo build --workspace` (`make build`)")
}
