//! Starts, stops, kills and pauses the parts of a stack, and waits until they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use super::directory;
use super::process::{Process, log_end};
use super::state::{self, StackState};
use super::{Lifetime, Part, Stack, probe, registry};

/// How long a part may take to answer: a busy machine that starts several stacks at once is slow.
const PATIENCE: Duration = Duration::from_mins(2);

impl Stack {
    /// Ends a part at once, without any goodbye. Kafka, Connect and `PostgreSQL` keep what they have on disk, the registry's
    /// schemas are saved first. S3 forgets all its objects: to make it unreachable for a while, put a
    /// [`Gate`](super::Gate) before it or [`pause`](Self::pause) it.
    pub async fn kill(&self, part: Part) -> anyhow::Result<()> {
        if part == Part::Registry {
            registry::save(&self.setup.directory, &self.setup.addresses).await?;
        }
        let process = self.lock().remove(&part);
        let mut process = process.with_context(|| format!("{part} does not run, so it cannot be killed"))?;
        process.kill();
        self.write_state()
    }

    /// Starts a part again on the same port, with what [`kill`](Self::kill) left of its data, and waits until it answers.
    /// One that runs is killed first.
    pub async fn restart(&self, part: Part) -> anyhow::Result<()> {
        if self.lock().contains_key(&part) {
            self.kill(part).await?;
        }
        self.start(part).await
    }

    /// Stops a part in its tracks: it keeps its connections and its data, and answers nothing.
    pub fn pause(&self, part: Part) -> anyhow::Result<()> {
        self.signal(part, Signal::STOP)
    }

    /// Lets a paused part go on.
    pub fn resume(&self, part: Part) -> anyhow::Result<()> {
        self.signal(part, Signal::CONT)
    }

    /// All that a part has printed since it first started.
    pub fn logs(&self, part: Part) -> anyhow::Result<String> {
        let path = self.setup.directory.log(part);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Which part has ended by itself, if one has, and the end of its log.
    pub fn ended(&self) -> Option<String> {
        let mut processes = self.lock();
        let (part, status) = processes.iter_mut().find_map(|(part, process)| Some((*part, process.ended()?)))?;
        Some(format!("{part} ended with {status}; {}", log_end(&self.setup.directory.log(part))))
    }

    /// Leaves the stack running without this program; `stack down` or [`stop_detached`](super::stop_detached) stops it.
    /// It must have been started with [`Lifetime::Detached`] in a chosen folder.
    pub fn detach(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.lifetime == Lifetime::Detached && !self.setup.directory.is_temporary(),
            "only a stack that was started with Lifetime::Detached in a chosen directory can be left running"
        );
        self.lock().clear();
        Ok(())
    }

    pub(super) async fn start(&self, part: Part) -> anyhow::Result<()> {
        let start = Instant::now();
        let setup = Arc::clone(&self.setup);
        let prepared = tokio::task::spawn_blocking(move || setup.prepare(part)).await?;
        let program = prepared.with_context(|| format!("cannot prepare {part}"))?;
        let process = Process::start(&program, self.lifetime).with_context(|| format!("cannot start {part}"))?;
        self.lock().insert(part, process);
        self.write_state()?;
        self.until_ready(part).await?;
        if part == Part::Registry {
            registry::restore(&self.setup.directory, &self.setup.addresses).await?;
        }
        tracing::info!("{part} is ready after {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    async fn until_ready(&self, part: Part) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let log = self.setup.directory.log(part);
        while let Err(error) = probe(part, &self.setup.addresses).await {
            let ended = self.lock().get_mut(&part).and_then(Process::ended);
            if let Some(status) = ended {
                anyhow::bail!("{part} ended with {status} as it started; {}", log_end(&log));
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "{part} did not answer within {} s ({error:#}); {}",
                PATIENCE.as_secs(),
                log_end(&log)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn signal(&self, part: Part, signal: Signal) -> anyhow::Result<()> {
        let processes = self.lock();
        processes.get(&part).with_context(|| format!("{part} does not run"))?.id().signal(signal);
        Ok(())
    }

    fn write_state(&self) -> anyhow::Result<()> {
        let processes = self.lock();
        let parts = processes.iter().map(|(part, process)| (*part, process.id())).collect();
        StackState { addresses: self.setup.addresses.clone(), parts }.write(self.setup.directory.path())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, Process>> {
        // A panic elsewhere leaves the map whole: the processes must still be stopped.
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut processes = std::mem::take(&mut *self.lock());
        if processes.is_empty() {
            // Detached, or nothing was started.
            return;
        }
        for process in processes.values_mut() {
            process.kill();
        }
        state::remove(self.setup.directory.path());
        // Nobody is left to tell if it cannot be removed; the next stack in this folder tries again, and does.
        let _ = directory::clear(self.setup.directory.path());
    }
}
