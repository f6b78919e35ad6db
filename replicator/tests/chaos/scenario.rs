//! One seed, one run: a source, a storage that breaks, one or two replicators that are killed and start again, and others
//! who write the same table.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tributary_replicator::table::{ErrorKind, Job, TableError};

use crate::backing::Backing;
use crate::foreign::{self, Act};
use crate::index::IndexDisk;
use crate::log;
use crate::process::{End, HISTORY, Process};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::store::{FaultStore, Rates};
use crate::tally::Tally;
use crate::topic::{Message, Source};
use crate::turns::{Side, beside};
use crate::verify::Checker;

/// Steps after which a run is taken for one that does not end.
const STEPS: usize = 5000;

/// Runs one seed. The error says what is wrong with the table.
pub(crate) async fn run(seed: u64, tally: &Tally) -> Result<()> {
    let mut rng = Rng::new(seed);
    let shape = Shape::random(&mut rng);
    let messages = if rng.chance(50) { rng.between(400, 900) } else { rng.between(20, 250) };
    let topic = Source::topic(&shape, rng.fork(), messages);
    let backing = Arc::<Backing>::default();
    let scenario = Scenario {
        checker: Checker::new(&backing, &shape, &topic),
        shape: &shape,
        topic: &topic,
        backing: &backing,
        tally: tally.clone(),
        rates: rates(&mut rng),
        foreign: *rng.pick(&[0, 0, 50, 200]),
        killed: *rng.pick(&[0, 300, 800]),
        batch: *rng.pick(&[3, 12, 50]),
        cared: *rng.pick(&[0, 300, 700]),
        copied_anew: *rng.pick(&[0, 0, 20, 80]),
        rivals: false,
        index: IndexDisk::random(&mut rng),
        committed_at: Vec::new(),
        last_own: None,
        rng,
    };
    let run = Box::pin(scenario.run()).await;
    if std::env::var_os("CHAOS_SEED").is_some() {
        println!("{}", log::history(&backing));
    }
    run
}

fn rates(rng: &mut Rng) -> Rates {
    let scale = *rng.pick(&[0, 5, 20, 60]);
    let mut rate = || rng.below(scale + 1);
    let (before, after, late, throttled, stale) = (rate(), rate(), rate(), rate(), rate() * 3);
    Rates { before, after, late, throttled, stale, denied: rate() / 10 }
}

/// What a run is made of, all of it from the seed.
struct Scenario<'a> {
    rng: Rng,
    shape: &'a Shape,
    topic: &'a [Message],
    backing: &'a Arc<Backing>,
    checker: Checker<'a>,
    tally: Tally,
    rates: Rates,
    /// Foreign commits, per mille of the steps.
    foreign: usize,
    /// Per mille of the processes.
    killed: usize,
    /// Largest number of messages in a commit.
    batch: usize,
    /// Maintenance, per mille of the steps.
    cared: usize,
    /// Copies of the table anew, per mille of the steps.
    copied_anew: usize,
    /// There is somebody who excuses a `SecondWriter`: another process, or what a dead one still had on its way.
    rivals: bool,
    index: IndexDisk,
    /// When each version was put, milliseconds since the epoch.
    committed_at: Vec<i64>,
    /// The last version before somebody changed rows.
    last_own: Option<u64>,
}

impl Scenario<'_> {
    async fn run(mut self) -> Result<()> {
        if self.rng.chance(150) {
            self.two_at_once().await?;
        }
        let ends_by = *self.rng.pick(&[
            None,
            None,
            None,
            None,
            None,
            None,
            Some(Act::Delete),
            Some(Act::Feature),
            Some(Act::StaleOptimize),
        ]);
        let ends_at = ends_by.map(|_| self.rng.below(self.topic.len()));
        let mut process = self.start().await?;
        for _ in 0..STEPS {
            if process.next() >= self.topic.len() && process.is_clean() {
                return self.finish().await;
            }
            if ends_at.is_some_and(|at| process.next() >= at)
                && let Some(act) = ends_by
                && let Some(version) = self.commit_now(act)?
            {
                return self.must_stop(act, version, process).await;
            }
            if self.rng.chance(self.foreign) {
                self.foreign_act(&process)?;
            }
            if let Err(end) = self.step(&mut process).await {
                self.judge(&process.store, end)?;
                process = self.start().await?;
            } else if process.is_clean() && self.rng.chance(self.copied_anew) {
                process = Box::pin(self.copy_anew(process)).await?;
            }
        }
        bail!("the run does not end")
    }

    /// Reads some messages, now and then commits, and does what is due.
    async fn step(&mut self, process: &mut Process) -> Result<(), End> {
        let count = self.rng.between(1, self.batch);
        process.read(self.shape, self.topic, count).await?;
        let ends = process.next() == self.topic.len();
        let now = self.backing.now();
        if process.may_commit() && (ends || self.rng.chance(600)) {
            if process.commit(&mut self.rng, &self.tally, now).await? {
                self.tally.count("commits");
            } else if ends {
                process.forget();
            }
        }
        if self.rng.chance(self.cared) { self.maintain(process).await } else { Ok(()) }
    }

    /// Has the table copied anew by a process that opens it then as it is.
    async fn copy_anew(&mut self, mut process: Process) -> Result<Process> {
        let copied = async {
            process.finish_work(&self.tally, self.backing.now()).await?;
            process.copy_anew(self.shape, self.topic, &mut self.rng, &self.tally).await
        };
        if let Err(end) = copied.await {
            self.judge(&process.store, end)?;
        }
        self.start().await
    }

    async fn maintain(&mut self, process: &mut Process) -> Result<(), End> {
        if self.rng.chance(200) {
            self.time_passes();
        }
        let now = self.backing.now();
        // What is removed next was read before.
        self.check_all()?;
        if self.rng.chance(50) {
            return process.maintain_all(&self.tally, now).await;
        }
        process.maintain(&self.tally, now).await.map(|_: Option<Job>| ())
    }

    /// So long that files need tombstones, or not; that the history begins among what was just done, or after all there is.
    fn time_passes(&mut self) {
        let history = HISTORY.as_millis() as i64;
        self.backing.pass(*self.rng.pick(&[
            history / 400,
            history / 400,
            history / 100,
            history - history / 200,
            2 * history,
        ]));
    }

    /// Notes when what was committed since the last time was put.
    fn note_commits(&mut self) {
        while let Some(at) = self.backing.put_at(&log::commit_path(self.committed_at.len() as u64)) {
            self.committed_at.push(at);
        }
    }

    /// The version that was the table when the history began. A commit takes a while from when it says that it removes files
    /// to when it is put, so that moment is not meant to the millisecond.
    fn readable_from(&mut self) -> u64 {
        self.note_commits();
        let history = HISTORY.as_millis() as i64;
        let began = self.backing.now_ms() - history + history / 1000;
        self.committed_at.partition_point(|at| *at < began).saturating_sub(1) as u64
    }

    fn check_all(&mut self) -> Result<(), End> {
        let Some(latest) = log::latest(self.backing) else { return Ok(()) };
        self.checker.check_to(self.last_own.unwrap_or(latest)).map(drop).map_err(End::Wrong)
    }

    /// The next process, after as many attempts as it takes.
    async fn start(&mut self) -> Result<Process> {
        for _ in 0..50 {
            let store = self.store();
            self.index.suffer(&mut self.rng, &self.tally);
            match Process::start(self.shape, store.clone(), self.index.path()).await {
                Ok(process) => return Ok(process),
                Err(end) => self.judge(&store, end)?,
            }
        }
        bail!("no process can start")
    }

    fn store(&mut self) -> FaultStore {
        let dies_at = self.rng.between(1, 150) as u64;
        let kill_at = self.rng.chance(self.killed).then_some(dies_at);
        self.rivals |= kill_at.is_some();
        FaultStore::new(Arc::clone(self.backing), self.tally.clone(), self.rng.fork(), self.rates, kill_at)
    }

    /// Whether a process may end so.
    fn judge(&mut self, store: &FaultStore, end: End) -> Result<()> {
        match end {
            End::Killed => {}
            End::Stopped(TableError::SecondWriter { .. }) if self.rivals || store.saw_stale() => {
                self.tally.count("stops: second writer");
            }
            End::Stopped(TableError::SecondCopy { .. }) if self.rivals || store.saw_stale() => {
                self.tally.count("stops: second copy");
            }
            End::Stopped(error) if error.kind() == ErrorKind::Damaged && store.saw_stale() => {
                self.tally.count("stops: an object was listed that is gone");
            }
            End::Stopped(TableError::Index(_)) if self.index.is_damaged() => {
                self.tally.count("stops: damaged index");
            }
            End::Wrong(error) => return Err(error),
            End::Stopped(error) => return Err(error).context("the engine stopped"),
            End::Stuck(error) => return Err(error).context("the engine tries the same for ever"),
        }
        Ok(())
    }

    fn commit_now(&mut self, act: Act) -> Result<Option<u64>> {
        let committed = act.commit(self.backing, &mut self.rng.fork())?;
        if committed.is_some() {
            self.tally.count(act.name());
        }
        Ok(committed)
    }

    /// Now, or just before the next commit of the process is put.
    fn foreign_act(&mut self, process: &Process) -> Result<()> {
        let act = *self.rng.pick(&[Act::Optimize, Act::Optimize, Act::AddColumn]);
        if self.rng.chance(500) {
            return self.commit_now(act).map(|_| ());
        }
        let (mut rng, tally) = (self.rng.fork(), self.tally.clone());
        process.store.ambush(Box::new(move |backing| {
            if act.commit(backing, &mut rng).unwrap().is_some() {
                tally.count(act.name());
            }
        }));
        Ok(())
    }

    /// Somebody did what the engine must not go on after: it says who or what, and nothing of before is lost.
    async fn must_stop(mut self, act: Act, version: u64, mut process: Process) -> Result<()> {
        process.store.take_ambush();
        self.last_own = Some(version - 1);
        let stopped = loop {
            if process.next() == self.topic.len() && process.is_clean() {
                break None;
            }
            match self.step(&mut process).await {
                Ok(()) => {}
                Err(End::Stopped(error @ (TableError::ForeignChange { .. } | TableError::Unsupported { .. }))) => {
                    break Some(error.to_string());
                }
                Err(end) => {
                    self.judge(&process.store, end)?;
                    break None;
                }
            }
        };
        let names: &[&str] = match act {
            Act::Delete => &["DELETE", foreign::ENGINE, "erin"],
            Act::Feature => &[foreign::FEATURE],
            Act::Optimize | Act::StaleOptimize | Act::AddColumn => &["OPTIMIZE", foreign::ENGINE, "erin"],
        };
        if let Some(stopped) = stopped {
            ensure!(names.iter().all(|name| stopped.contains(name)), "it does not say who or what: {stopped}");
            self.tally.count("stops: foreign change");
            self.backing.settle();
            ensure!(log::latest(self.backing) == Some(version), "a commit on top of what the engine cannot take in");
        }
        self.refuses_to_start(names).await?;
        self.checker.check_to(version - 1)?;
        let first = self.readable_from();
        self.checker.check_history(first)
    }

    /// A process that starts now must not take the table as it finds it.
    async fn refuses_to_start(&mut self, names: &[&str]) -> Result<()> {
        self.backing.settle();
        (self.rates, self.killed) = (Rates::default(), 0);
        let store = self.store();
        let said = match Process::start(self.shape, store, self.index.path()).await {
            Err(End::Stopped(error)) => error.to_string(),
            Err(end) => bail!("a new process ends otherwise: {end:?}"),
            Ok(_) => bail!("a new process goes on after it"),
        };
        ensure!(names.iter().all(|name| said.contains(name)), "a new process does not say who or what: {said}");
        Ok(())
    }

    /// Two replicators write the same table, each between any two requests of the other.
    async fn two_at_once(&mut self) -> Result<()> {
        self.rivals = true;
        self.tally.count("second writers");
        let (first, second) = (self.store(), self.store());
        let mut turns = self.rng.fork();
        let other = write(self.shape.clone(), self.topic.to_vec(), self.batch, second.clone(), self.rng.fork());
        let mut others: Vec<Side<Result<(), End>>> = vec![Box::pin(other)];
        let one = write(self.shape.clone(), self.topic.to_vec(), self.batch, first.clone(), self.rng.fork());
        let (one, mut done) = beside(&mut turns, Box::pin(one), &mut others).await;
        for other in others {
            done.push(other.await);
        }
        for (store, end) in std::iter::once((first, one)).chain(done.into_iter().map(|end| (second.clone(), end))) {
            if let Err(end) = end {
                self.judge(&store, end)?;
            }
        }
        Ok(())
    }

    /// The storage is well again: what is left is applied, and everything is held against the model.
    async fn finish(mut self) -> Result<()> {
        self.backing.settle();
        self.rates = Rates::default();
        self.killed = 0;
        let mut process = self.start().await?;
        for _ in 0..STEPS {
            if process.next() == self.topic.len() && process.is_clean() {
                break;
            }
            if let Err(end) = self.step(&mut process).await {
                self.judge(&process.store, end)?;
                process = self.start().await?;
            }
        }
        ensure!(process.next() == self.topic.len() && process.is_clean(), "the end of the topic was not committed");
        let latest = log::latest(self.backing).context("there is no table")?;
        let versions = self.checker.check_to(latest)?;
        self.tally.add("versions read", versions);
        let first = self.readable_from();
        self.checker.check_history(first)
    }
}

/// A replicator by itself, until it has read some of the topic or ends.
async fn write(shape: Shape, topic: Vec<Message>, batch: usize, store: FaultStore, mut rng: Rng) -> Result<(), End> {
    let mut process = Process::start(&shape, store.clone(), None).await?;
    let tally = Tally::default();
    for _ in 0..rng.between(1, 20) {
        process.read(&shape, &topic, rng.between(1, batch)).await?;
        if process.may_commit() {
            process.commit(&mut rng, &tally, store.now()).await?;
        }
    }
    Ok(())
}
