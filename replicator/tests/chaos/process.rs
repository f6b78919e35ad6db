//! One replicator: opens the table, reads the topic, folds and commits, and looks after the table, as the pipeline does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tributary_replicator::change::{ChangeBatch, Event, Fold, Op, PartitionProgress, Progress, Verdict};
use tributary_replicator::table::{Done, Job, KeyedTable, Maintenance, TableError, TableSpec};
use url::Url;

use crate::batches::batches;
use crate::rng::Rng;
use crate::shape::Shape;
use crate::store::FaultStore;
use crate::tally::Tally;
use crate::topic::Message;
use crate::turns::{Side, beside};

/// Topic of every table here.
pub(crate) const TOPIC: &str = "shop.public.orders";

/// For how long versions stay readable.
pub(crate) const HISTORY: Duration = Duration::from_hours(1);

/// Attempts of one thing before a process is taken for stuck.
pub(crate) const ATTEMPTS: usize = 200;

/// A running replicator.
pub(crate) struct Process {
    pub store: FaultStore,
    pub(crate) spec: TableSpec,
    pub(crate) table: Option<KeyedTable>,
    fold: Option<Fold>,
    progress: PartitionProgress,
    /// Nothing of its progress is missing in the log.
    clean: bool,
    work: Vec<Side<Done>>,
}

/// Why a process ends.
#[derive(Debug)]
pub(crate) enum End {
    /// It was killed.
    Killed,
    /// The engine refuses to go on.
    Stopped(TableError),
    /// The engine says for ever that trying again helps.
    Stuck(TableError),
    /// A version of the table is not what it must be.
    Wrong(anyhow::Error),
}

fn spec(shape: &Shape, store: &FaultStore, index: Option<&Path>) -> TableSpec {
    let url = Url::parse("memory:///").unwrap();
    TableSpec {
        store: Some(Arc::new(store.clone())),
        partition_by: shape.partition_by.clone(),
        cluster_by: shape.cluster_by.clone(),
        writes: shape.writes,
        maintenance: Maintenance { target_file_bytes: shape.target_file_bytes, history: HISTORY, windows: Vec::new() },
        index_dir: index.map(Path::to_owned),
        index_memory_rows: 0,
        clock: store.clock(),
        ..TableSpec::new(url, TOPIC)
    }
}

/// Repeats `$attempt` as long as that can help.
macro_rules! persist {
    ($store:expr, $attempt:expr) => {{
        let mut attempts = 0;
        loop {
            let result = $attempt.await;
            attempts += 1;
            match result {
                _ if $store.is_dead() => break Err($crate::process::End::Killed),
                Ok(done) => break Ok(done),
                Err(error) if !error.is_transient() => break Err($crate::process::End::Stopped(error)),
                Err(error) if attempts == $crate::process::ATTEMPTS => break Err($crate::process::End::Stuck(error)),
                Err(_) => {}
            }
        }
    }};
}

pub(crate) use persist;

impl Process {
    pub(crate) async fn start(shape: &Shape, store: FaultStore, index: Option<&Path>) -> Result<Self, End> {
        let spec = spec(shape, &store, index);
        let table = persist!(store, KeyedTable::open(&spec))?;
        Ok(Self::of(store, spec, table))
    }

    /// Goes on with an open table.
    pub(crate) fn of(store: FaultStore, spec: TableSpec, table: Option<KeyedTable>) -> Self {
        let mut progress = table.as_ref().map(|table| table.progress().clone()).unwrap_or_default();
        progress.entry(0).or_default();
        Self { store, spec, table, fold: None, progress, clean: true, work: Vec::new() }
    }

    /// The first offset that was not read.
    pub(crate) fn next(&self) -> usize {
        self.progress[&0].next_offset as usize
    }

    /// Everything that was read is in the log.
    pub(crate) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Reads and folds messages that follow.
    pub(crate) async fn read(&mut self, shape: &Shape, topic: &[Message], count: usize) -> Result<(), End> {
        let first = self.next();
        let last = topic.len().min(first + count);
        for batch in batches(shape, &topic[first..last], first) {
            self.fold(&batch).await?;
        }
        let progress = self.progress.entry(0).or_default();
        progress.next_offset = last as i64;
        progress.message_ts_ms = Some(1_000_000 + last as i64);
        self.clean &= last == first;
        Ok(())
    }

    async fn fold(&mut self, batch: &ChangeBatch) -> Result<(), End> {
        let only_truncates = batch.schema.key.is_empty() && batch.events.iter().all(|event| event.op == Op::Truncate);
        if self.table.is_none() {
            if only_truncates {
                return Ok(());
            }
            self.table = Some(persist!(self.store, KeyedTable::create(&self.spec, &batch.schema))?);
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        if !only_truncates {
            table.fit(&batch.schema).map_err(End::Stopped)?;
        }
        let columns = table.columns();
        let new = || Fold::new(Arc::clone(columns.arrow()), columns.key().to_vec(), columns.key_encoder().unwrap());
        let fold = self.fold.get_or_insert_with(new);
        fold.widen(columns.arrow()).unwrap();
        let progress = self.progress.entry(0).or_default();
        fold.push(batch, |event| judge(progress, event)).unwrap();
        Ok(())
    }

    /// The topic ends with nothing that has to be committed.
    pub(crate) fn forget(&mut self) {
        self.clean |= self.fold.as_ref().is_none_or(Fold::is_empty);
    }

    /// A commit would part the halves of a key change.
    pub(crate) fn may_commit(&self) -> bool {
        self.fold.as_ref().is_none_or(|fold| !fold.awaits_new_key())
    }

    /// Commits what was read, if anything; maintenance that runs gets on beside it.
    pub(crate) async fn commit(&mut self, rng: &mut Rng, tally: &Tally, now: Timestamp) -> Result<bool, End> {
        let Some(table) = &mut self.table else { return Ok(false) };
        let Some(fold) = self.fold.as_mut().filter(|fold| !fold.is_empty()) else { return Ok(false) };
        let folded = fold.take().unwrap();
        let (store, progress) = (&self.store, &self.progress);
        let commit = async { persist!(store, table.commit(&folded, progress)) };
        let (committed, done) = beside(rng, Box::pin(commit), &mut self.work).await;
        committed?;
        self.clean = true;
        let any = !done.is_empty();
        for done in done {
            self.finish(done, tally, now).await?;
        }
        if !any && rng.chance(200) {
            self.finish_work(tally, now).await?;
        }
        Ok(true)
    }

    /// Begins what is due, if anything is. Says what; a checkpoint is done at once, for it works on threads of its own.
    pub(crate) async fn maintain(&mut self, tally: &Tally, now: Timestamp) -> Result<Option<Job>, End> {
        let Some(table) = &mut self.table else { return Ok(None) };
        // Clean-up and vacuum wait some minutes from the first time they are asked for.
        let before = table.maintenance(now - SignedDuration::from_hours(24));
        let Some(work) = before.or_else(|| table.maintenance(now)) else { return Ok(None) };
        let job = work.job();
        self.work.push(Box::pin(work.run()));
        if self.work.len() > 1 {
            tally.count("maintenance: beside another");
        }
        if job == Job::Checkpoint {
            self.finish_work(tally, now).await?;
        }
        Ok(Some(job))
    }

    /// Waits for the maintenance that runs.
    pub(crate) async fn finish_work(&mut self, tally: &Tally, now: Timestamp) -> Result<(), End> {
        for work in std::mem::take(&mut self.work) {
            let done = work.await;
            self.finish(done, tally, now).await?;
        }
        Ok(())
    }

    async fn finish(&mut self, done: Done, tally: &Tally, now: Timestamp) -> Result<(), End> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let finished = table.finish(done, now).await;
        match finished {
            _ if self.store.is_dead() => Err(End::Killed),
            Ok(done) => {
                tally.count(job_name(done.job));
                Ok(())
            }
            Err(error) if error.is_transient() => {
                tally.count("maintenance: failed");
                Ok(())
            }
            Err(error) => Err(End::Stopped(error)),
        }
    }

    /// All maintenance that there is, as by hand.
    pub(crate) async fn maintain_all(&mut self, tally: &Tally, now: Timestamp) -> Result<(), End> {
        self.finish_work(tally, now).await?;
        let Some(table) = &mut self.table else { return Ok(()) };
        let maintained = table.maintain(now).await;
        match maintained {
            _ if self.store.is_dead() => Err(End::Killed),
            Ok(all) => {
                for done in &all {
                    tally.count(job_name(done.job));
                }
                Ok(())
            }
            Err(error) if error.is_transient() => {
                tally.count("maintenance: failed");
                Ok(())
            }
            Err(error) => Err(End::Stopped(error)),
        }
    }
}

fn job_name(job: Job) -> &'static str {
    match job {
        Job::Compaction => "maintenance: compaction",
        Job::Checkpoint => "maintenance: checkpoint",
        Job::LogCleanup => "maintenance: log clean-up",
        Job::Vacuum => "maintenance: vacuum",
    }
}

fn judge(progress: &mut Progress, event: &Event) -> Verdict {
    let verdict = progress.judge(event);
    if verdict != Verdict::Skip {
        progress.advance(event);
    }
    verdict
}
