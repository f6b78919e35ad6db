//! One seed, one run: a source, a storage that breaks, one or two replicators that are killed and start again, and others
//! who write the same table.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tributary_replicator::table::TableError;

use crate::backing::Backing;
use crate::foreign::{self, Act};
use crate::process::{End, Process};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::store::{FaultStore, Rates};
use crate::tally::Tally;
use crate::topic::{Message, Source};
use crate::verify;

/// What a run is made of, all of it from the seed.
struct Scenario {
    rng: Rng,
    shape: Shape,
    topic: Vec<Message>,
    backing: Arc<Backing>,
    tally: Tally,
    rates: Rates,
    /// Per mille of the steps.
    foreign: usize,
    /// Per mille of the processes.
    killed: usize,
    /// Largest number of messages in a commit.
    batch: usize,
    /// Somebody who excuses a `SecondWriter`: another process, or what a dead one still had on its way.
    rivals: bool,
}

/// Runs one seed. The error says what is wrong with the table.
pub(crate) async fn run(seed: u64, tally: &Tally) -> Result<()> {
    let mut rng = Rng::new(seed);
    let shape = Shape::random(&mut rng);
    let messages = rng.between(20, 250);
    let topic = Source::topic(&shape, rng.fork(), messages);
    let scenario = Scenario {
        shape,
        topic,
        backing: Arc::default(),
        tally: tally.clone(),
        rates: rates(&mut rng),
        foreign: *rng.pick(&[0, 0, 50, 200]),
        killed: *rng.pick(&[0, 300, 800]),
        batch: *rng.pick(&[3, 12, 50]),
        rivals: false,
        rng,
    };
    scenario.run().await
}

fn rates(rng: &mut Rng) -> Rates {
    let scale = *rng.pick(&[0, 5, 20, 60]);
    let mut rate = || rng.below(scale + 1);
    Rates { before: rate(), after: rate(), late: rate(), throttled: rate(), stale: rate() * 3 }
}

impl Scenario {
    async fn run(mut self) -> Result<()> {
        if self.rng.chance(150) {
            self.two_at_once().await?;
        }
        let mut process = self.start().await?;
        while process.next() < self.topic.len() || !process.is_clean() {
            if self.rng.chance(self.foreign) {
                self.foreign_act(&process)?;
            }
            if let Err(end) = self.step(&mut process).await {
                self.judge(&process.store, end)?;
                process = self.start().await?;
            }
        }
        process.store.take_ambush();
        self.finish().await
    }

    /// Reads some messages and now and then commits.
    async fn step(&mut self, process: &mut Process) -> Result<(), End> {
        let count = self.rng.between(1, self.batch);
        process.read(&self.shape, &self.topic, count).await?;
        let ends = process.next() == self.topic.len();
        if process.may_commit() && (ends || self.rng.chance(600)) && process.commit().await? {
            self.tally.count("commits");
        } else if ends {
            process.forget();
        }
        Ok(())
    }

    /// The next process, after as many attempts as it takes.
    async fn start(&mut self) -> Result<Process> {
        for _ in 0..50 {
            let store = self.store();
            match Process::start(&self.shape, store.clone()).await {
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
        FaultStore::new(Arc::clone(&self.backing), self.tally.clone(), self.rng.fork(), self.rates, kill_at)
    }

    /// Whether a process may end so.
    fn judge(&mut self, store: &FaultStore, end: End) -> Result<()> {
        match end {
            End::Killed => Ok(()),
            End::Stopped(TableError::SecondWriter { .. }) if self.rivals || store.saw_stale() => {
                self.tally.count("refused as second writer");
                Ok(())
            }
            End::Stopped(error) => Err(error).context("the engine stopped"),
            End::Stuck(error) => Err(error).context("the engine tries the same for ever"),
        }
    }

    /// Now, or just before the next commit of the process is put.
    fn foreign_act(&mut self, process: &Process) -> Result<()> {
        let act = *self.rng.pick(&[Act::Optimize, Act::Optimize, Act::AddColumn]);
        let (mut rng, tally) = (self.rng.fork(), self.tally.clone());
        let mut commit = move |backing: &Backing| -> Result<()> {
            if act.commit(backing, &mut rng)?.is_some() {
                tally.count(act.name());
            }
            Ok(())
        };
        if self.rng.chance(500) {
            return commit(&self.backing);
        }
        process.store.ambush(Box::new(move |backing| commit(backing).unwrap()));
        Ok(())
    }

    /// Two replicators write the same table, each between any two requests of the other.
    async fn two_at_once(&mut self) -> Result<()> {
        self.rivals = true;
        self.tally.count("second writers");
        let (first, second) = (self.store(), self.store());
        let (mut one, mut other) = (self.rng.fork(), self.rng.fork());
        let (shape, topic, batch) = (&self.shape, &self.topic, self.batch);
        let ends = futures::join!(
            write(shape, topic, batch, first.clone(), &mut one),
            write(shape, topic, batch, second.clone(), &mut other),
        );
        for (store, end) in [(first, ends.0), (second, ends.1)] {
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
        while process.next() < self.topic.len() {
            if let Err(end) = self.step(&mut process).await {
                self.judge(&process.store, end)?;
                process = self.start().await?;
            }
        }
        let Some(table) = foreign::newest(&self.backing)? else { bail!("there is no table") };
        let versions = verify::check_versions(&self.backing, &self.shape, &self.topic, table.version)?;
        self.tally.add("versions read", versions);
        ensure!(process.is_clean(), "the end of the topic was not committed");
        Ok(())
    }
}

/// A replicator by itself, until it has read everything or ends.
async fn write(
    shape: &Shape,
    topic: &[Message],
    batch: usize,
    store: FaultStore,
    rng: &mut Rng,
) -> Result<(), End> {
    let mut process = Process::start(shape, store).await?;
    for _ in 0..rng.between(1, 20) {
        process.read(shape, topic, rng.between(1, batch)).await?;
        if process.may_commit() {
            process.commit().await?;
        }
    }
    Ok(())
}
