//! A Java program of Kafka's that the stand-in runs: a broker or a Connect worker.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use crate::stack::{Lifetime, Process, ProcessId, Program, Software, kafka_arguments};

/// A running program, which ends when this is dropped, or when the stand-in dies.
#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    started: Instant,
    log: PathBuf,
}

/// How a program is called: its heap, its main class with arguments, and what else the Java machine is told.
pub(super) struct Call<'a> {
    pub(super) heap: &'a str,
    pub(super) java: Vec<OsString>,
    pub(super) main: Vec<OsString>,
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// How long a program may take to end in good order.
const PATIENCE: Duration = Duration::from_secs(20);
const PROCESS: &str = "process.json";

impl Server {
    /// Starts it in this folder, which gets its log and the number of its process.
    pub(super) fn start(software: &Software, folder: &Path, call: Call<'_>) -> anyhow::Result<Self> {
        let tmp = folder.join("tmp");
        std::fs::create_dir_all(&tmp).with_context(|| format!("cannot create {}", tmp.display()))?;
        let mut temporary = OsString::from("-Djava.io.tmpdir=");
        temporary.push(&tmp);
        let mut arguments: Vec<OsString> =
            vec![format!("-Xmx{}", call.heap).into(), "-XX:+UseSerialGC".into(), "-XX:-UsePerfData".into(), temporary];
        arguments.extend(call.java);
        arguments.extend(kafka_arguments(software, &tmp)?);
        arguments.extend(call.main);
        let log = folder.join("log");
        let program = Program {
            path: software.java.clone(),
            arguments,
            environment: call.environment,
            directory: folder.to_owned(),
            user: None,
            log: log.clone(),
            kill_signal: Signal::KILL,
        };
        let process = Process::start(&program, Lifetime::WithParent)?;
        std::fs::write(folder.join(PROCESS), serde_json::to_string(&process.id())?)?;
        Ok(Self { process, started: Instant::now(), log })
    }

    /// How it ended, if it has, with the end of its log.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.process.ended()?;
        Some(format!("it ended with {status}; {}", crate::stack::log_end(&self.log)))
    }

    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends it in good order.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let id = self.process.id();
        tokio::task::spawn_blocking(move || id.stop(Signal::TERM, PATIENCE)).await?;
        drop(self);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// The process that runs in a folder, as its last start wrote it down.
pub(super) fn process_in(folder: &Path) -> Option<ProcessId> {
    let id: ProcessId = serde_json::from_str(&std::fs::read_to_string(folder.join(PROCESS)).ok()?).ok()?;
    id.is_alive().then_some(id)
}
