//! The second half of the pipeline: folds what was decoded and commits it, as `due` says.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, retry};
use super::buffer::{Buffer, Pending, only_truncates};
use super::decoding::Step;
use super::due::{Decision, Facts, Lack, Why, commit_due};
use super::maintenance::Maintenance;
use super::{CommitLimits, PipelineError};
use crate::change::{ChangeBatch, KeyHash, PartitionProgress, RowSchema};
use crate::consume::{Consumer, Share};
use crate::decode::Decoded;
use crate::report::{CommitReport, TableHandle};
use crate::table::{Committed, KeyedTable, TableError, TableSpec};

/// How long a running commit may go on after the table was told to stop.
const COMMIT_GRACE: Duration = Duration::from_secs(15);
/// How often it is told what the table weighs.
const STATS_INTERVAL: Duration = Duration::from_secs(15);

pub(super) struct Writer {
    spec: TableSpec,
    consumer: Consumer,
    limits: CommitLimits,
    report: TableHandle,
    stop: CancellationToken,
    share: Share,
    table: Option<KeyedTable>,
    buffer: Buffer,
    /// A commit that did not succeed yet. Nothing is folded meanwhile: the table is asked for the same again.
    pending: Option<Pending>,
    /// When to try again what did not succeed, and how long to wait after that.
    retry: Option<(Instant, Backoff)>,
    lack: Option<Lack>,
    /// What ends this table once everything before it is committed.
    failure: Option<PipelineError>,
    /// When it was told to stop.
    stopped: Option<Instant>,
    /// When the table was last weighed for the metrics.
    weighed: Option<Instant>,
    maintenance: Maintenance,
}

impl Writer {
    #[expect(clippy::too_many_arguments, reason = "they are its fields")]
    pub(super) fn new(
        spec: TableSpec,
        consumer: Consumer,
        limits: CommitLimits,
        report: TableHandle,
        stop: CancellationToken,
        share: Share,
        table: Option<KeyedTable>,
        progress: PartitionProgress,
    ) -> Self {
        Self {
            spec,
            consumer,
            limits,
            report,
            stop,
            share,
            table,
            buffer: Buffer::new(progress),
            pending: None,
            retry: None,
            lack: None,
            failure: None,
            stopped: None,
            weighed: None,
            maintenance: Maintenance::default(),
        }
    }

    /// Writes until told to stop, with one last commit, or until something ends it.
    pub(super) async fn run(mut self, mut steps: mpsc::UnboundedReceiver<Step>) -> Result<(), PipelineError> {
        self.tell_stats();
        loop {
            match commit_due(&self.limits, &self.facts(), Instant::now()) {
                Decision::Commit(why) => {
                    if !self.commit(why).await? {
                        return Ok(());
                    }
                }
                Decision::Hold(..) if self.stopped.is_some() => return Ok(()),
                Decision::Wait(_) if self.is_last() => return self.failure.map_or(Ok(()), Err),
                Decision::Hold(_, until) => self.wait(&mut steps, Some(until)).await?,
                Decision::Wait(until) => self.wait(&mut steps, until).await?,
            }
        }
    }

    fn is_last(&self) -> bool {
        self.stopped.is_some() || self.failure.is_some()
    }

    fn facts(&self) -> Facts {
        Facts {
            since: self.buffer.since(),
            bytes: self.buffer.bytes(),
            // Most of what this table holds is in the buffer. If the rest waits to be decoded, that makes room by itself:
            // committing for it would make very many very small commits.
            pressed: self.share.pressed() && self.buffer.bytes() >= self.share.used() / 2,
            ahead: self.buffer.ahead().filter(|_| self.table.is_some()),
            lack: self.lack,
            retry: self.retry.map(|(at, _)| at),
            last: self.is_last(),
        }
    }

    /// Takes the next step, or waits.
    async fn wait(
        &mut self,
        steps: &mut mpsc::UnboundedReceiver<Step>,
        until: Option<Instant>,
    ) -> Result<(), PipelineError> {
        let look_at = self.table.as_mut().and_then(|table| self.maintenance.begin(table));
        let until = until.into_iter().chain(look_at).min();
        tokio::select! {
            () = self.stop.cancelled(), if self.stopped.is_none() => self.told_to_stop(),
            step = steps.recv(), if self.pending.is_none() && !self.is_last() => match step {
                Some(step) => self.take(step).await?,
                None => self.failure = Some(PipelineError::Internal("the task that decodes has ended".into())),
            },
            () = sleep_until(until) => {}
            // Not while a commit has perhaps landed: the compaction would take it for that of a second writer.
            done = self.maintenance.done(), if self.pending.is_none() => if let Some(table) = &mut self.table {
                self.maintenance.finish(table, done, &self.report).await?;
            },
            () = self.share.until_pressed(), if !self.share.pressed() => {}
        }
        Ok(())
    }

    /// A commit that waits to be tried again is tried once more, now.
    fn told_to_stop(&mut self) {
        let now = Instant::now();
        self.stopped = Some(now);
        if let Some((at, _)) = &mut self.retry {
            *at = now;
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), PipelineError> {
        match step {
            Step::Assigned(ranges) => {
                for range in &ranges {
                    self.buffer.assigned(range.partition, range.next);
                }
                self.report.assigned(self.buffer.progress(), &ranges);
            }
            Step::Decoded { partition, decoded, last, held } => {
                let Decoded { changes, next_offset, failure } = decoded;
                if !self.fold_all(partition, &changes).await? {
                    return Ok(());
                }
                self.buffer.seen(partition, next_offset, last, held);
                if self.buffer.is_empty() {
                    self.report.applied(&self.buffer.target());
                }
                if let Some(failure) = failure {
                    self.report.cannot_decode();
                    self.failure = Some(failure.into());
                }
            }
            Step::Failed(error) => self.failure = Some(error),
        }
        Ok(())
    }

    /// Folds events in; false when not all of them could be: what came before is committed, and then it ends.
    async fn fold_all(&mut self, partition: i32, changes: &[ChangeBatch]) -> Result<bool, PipelineError> {
        for batch in changes {
            if self.table.is_none() && !only_truncates(batch) && !self.create(&batch.schema).await? {
                return Ok(false);
            }
            if let Err(error) = self.fold(partition, batch) {
                self.failure = Some(error.into());
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fold(&mut self, partition: i32, batch: &ChangeBatch) -> Result<(), TableError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let columns = if only_truncates(batch) { table.columns() } else { table.fit(&batch.schema)? };
        let pushed = self.buffer.push(partition, batch, columns)?;
        if pushed.starts_over && table.rows() > 0 {
            self.report.starts_over();
        }
        self.report.skipped(pushed.skipped);
        if !only_truncates(batch) {
            self.report.warnings(&batch.schema.warnings);
        }
        Ok(())
    }

    /// Makes the table; false when told to stop before.
    async fn create(&mut self, source: &RowSchema) -> Result<bool, PipelineError> {
        let spec = &self.spec;
        self.table = retry(&self.report, &self.stop, || KeyedTable::create(spec, source)).await?;
        if self.table.is_none() {
            self.told_to_stop();
        }
        Ok(self.table.is_some())
    }

    /// Commits what is buffered, or tries again what did not succeed; false when there was not enough time for it.
    async fn commit(&mut self, why: Why) -> Result<bool, PipelineError> {
        let mut backoff = self.retry.take().map_or_else(Backoff::new, |(_, backoff)| backoff);
        let attempt = match self.attempt(why).await {
            Ok(in_time) => return Ok(in_time),
            Err(error) => backoff.after(error.into(), &self.report),
        };
        match attempt {
            Ok(pause) => self.retry = Some((Instant::now() + pause, backoff)),
            // The error of the commit says more than what would have ended the table after it.
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    async fn attempt(&mut self, why: Why) -> Result<bool, TableError> {
        if self.pending.is_none() && !self.take_pending().await? {
            return Ok(true);
        }
        let (Some(table), Some(pending)) = (&mut self.table, &self.pending) else { return Ok(true) };
        let started = Instant::now();
        let attempt = table.commit(&pending.folded, &pending.progress);
        let Some(committed) = within_grace(&self.stop, &mut self.stopped, attempt).await else { return Ok(false) };
        let committed = committed?;
        if let Some(pending) = self.pending.take() {
            self.landed(&committed, &pending, started.elapsed(), why);
        }
        Ok(true)
    }

    /// Takes what is buffered for a commit; false when a value that it needs is nowhere, and may still become needless.
    async fn take_pending(&mut self) -> Result<bool, TableError> {
        let Some(table) = &self.table else { return Ok(false) };
        let lacks = lacks_value(table, &self.buffer.stored_keys()).await?;
        let now = Instant::now();
        if lacks && self.lack.is_none() {
            self.report.noted("a change leaves a value out that the table does not have: waiting for the row's delete");
        }
        self.lack = lacks.then(|| Lack { since: self.lack.map_or(now, |lack| lack.since), looked: now });
        if !matches!(commit_due(&self.limits, &self.facts(), now), Decision::Commit(_)) {
            return Ok(false);
        }
        self.pending = Some(self.buffer.take(table.columns().arrow())?);
        Ok(true)
    }

    fn landed(&mut self, committed: &Committed, pending: &Pending, duration: Duration, why: Why) {
        self.lack = None;
        self.buffer.committed(&pending.progress);
        let report = CommitReport {
            committed,
            counts: pending.folded.counts,
            progress: &pending.progress,
            snapshot_completed: pending.times.snapshot_completed,
            oldest_change_ts_ms: pending.times.oldest_change_ms,
            newest_source_ts_ms: pending.times.newest_ms,
            duration,
            why: why.name(),
        };
        self.report.committed(&report, jiff::Timestamp::now());
        self.maintenance.committed();
        self.tell_stats();
        let offsets = pending.progress.iter().map(|(partition, progress)| (*partition, progress.next_offset));
        self.consumer.commit_group_offsets(&self.spec.topic, offsets.collect());
    }
}

impl Writer {
    /// Tells what the table weighs, now and then: it takes a look at every file.
    fn tell_stats(&mut self) {
        let now = Instant::now();
        if let Some(table) = &self.table
            && self.weighed.is_none_or(|weighed| now - weighed >= STATS_INTERVAL)
        {
            self.weighed = Some(now);
            self.report.stats(&table.stats());
        }
    }
}

/// Whether neither row of some pair of keys is in the table.
async fn lacks_value(table: &KeyedTable, wanted: &[[KeyHash; 2]]) -> Result<bool, TableError> {
    if wanted.is_empty() {
        return Ok(false);
    }
    let found = table.has_rows(wanted.as_flattened().to_vec()).await?;
    Ok(found.chunks_exact(2).any(|pair| !pair[0] && !pair[1]))
}

/// Lets work go on for a while after the table was told to stop; `None` when it was not done then.
async fn within_grace<T>(
    stop: &CancellationToken,
    stopped: &mut Option<Instant>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let too_late = async {
        stop.cancelled().await;
        let stopped = *stopped.get_or_insert_with(Instant::now);
        tokio::time::sleep_until(stopped + COMMIT_GRACE).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = too_late => None,
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
