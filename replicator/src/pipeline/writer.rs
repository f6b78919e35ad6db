//! The second half of the pipeline: folds what was decoded and commits it, as `due` says.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::backoff::{Backoff, retry};
use super::buffer::{Buffer, Pending, only_truncates, progress};
use super::copied::FollowedCopy;
use super::decoding::Step;
use super::due::{Decision, Facts, Lack, commit_due};
use super::maintenance::Maintenance;
use super::{Anew, Pipeline, PipelineError};
use crate::change::{ChangeBatch, PartitionProgress, RowSchema};
use crate::consume::Share;
use crate::copy::Found;
use crate::decode::Decoded;
use crate::table::KeyedTable;

/// How often it is told what the table weighs.
const STATS_INTERVAL: Duration = Duration::from_secs(15);

/// A table whose writer has ended.
pub(super) struct Followed {
    pub(super) table: Option<KeyedTable>,
    /// How far it was applied.
    pub(super) applied: PartitionProgress,
    /// It is a shadow that can take the place of the table that it is one of.
    pub(super) is_complete_shadow: bool,
}

/// The writer of one table.
pub(super) struct Writer {
    pub(super) pipeline: Pipeline,
    pub(super) share: Share,
    pub(super) table: Option<KeyedTable>,
    pub(super) buffer: Buffer,
    /// A commit that did not succeed yet. Nothing is folded meanwhile: the table is asked for the same again.
    pub(super) pending: Option<Pending>,
    /// When to try again what did not succeed, and how long to wait after that.
    pub(super) retry: Option<(Instant, Backoff)>,
    pub(super) lack: Option<Lack>,
    /// What ends this table once everything before it is committed.
    failure: Option<PipelineError>,
    /// When it was told to stop.
    pub(super) stopped: Option<Instant>,
    /// When the table was last weighed for the metrics.
    weighed: Option<Instant>,
    pub(super) maintenance: Maintenance,
    /// The copy that the table began with.
    pub(super) copy: Option<FollowedCopy>,
}

impl Writer {
    /// Writes `table`, or makes it when the first row comes.
    pub(super) fn new(pipeline: Pipeline, share: Share, table: Option<KeyedTable>) -> Self {
        Self {
            buffer: Buffer::new(progress(table.as_ref())),
            pipeline,
            share,
            table,
            pending: None,
            retry: None,
            lack: None,
            failure: None,
            stopped: None,
            weighed: None,
            maintenance: Maintenance::default(),
            copy: None,
        }
    }

    /// Writes until told to stop, with one last commit, or until something ends it.
    pub(super) async fn run(mut self, steps: mpsc::UnboundedReceiver<Step>) -> Result<Followed, PipelineError> {
        self.write(steps).await?;
        Ok(Followed { is_complete_shadow: self.is_complete_shadow(), applied: self.seen(), table: self.table })
    }

    /// How far the table is: what changed nothing in it needs no commit.
    pub(super) fn seen(&self) -> PartitionProgress {
        match &self.table {
            Some(table) if !self.buffer.is_empty() => table.progress().clone(),
            _ => self.buffer.target(),
        }
    }

    async fn write(&mut self, mut steps: mpsc::UnboundedReceiver<Step>) -> Result<(), PipelineError> {
        self.tell_stats();
        while !self.is_complete_shadow() {
            match commit_due(&self.pipeline.limits, &self.facts(), Instant::now()) {
                Decision::Commit(why) => {
                    if !self.commit(why).await? {
                        return Ok(());
                    }
                }
                Decision::Hold(..) if self.stopped.is_some() => return Ok(()),
                Decision::Wait(_) if self.is_last() => return self.failure.take().map_or(Ok(()), Err),
                Decision::Hold(_, until) => self.wait(&mut steps, Some(until)).await?,
                Decision::Wait(until) => self.wait(&mut steps, until).await?,
            }
        }
        Ok(())
    }

    /// The table is a shadow that can take the place of the table that it is one of.
    fn is_complete_shadow(&self) -> bool {
        let Some(until) = &self.pipeline.until else { return false };
        if self.pending.is_some() || !self.buffer.is_empty() || !self.copy.as_ref().is_some_and(FollowedCopy::is_passed)
        {
            return false;
        }
        let seen = self.seen();
        until.iter().all(|(partition, end)| seen.get(partition).map_or(0, |applied| applied.next_offset) >= *end)
    }

    fn is_last(&self) -> bool {
        self.stopped.is_some() || self.failure.is_some()
    }

    pub(super) fn facts(&self) -> Facts {
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
            () = self.pipeline.stop.cancelled(), if self.stopped.is_none() => self.told_to_stop(),
            step = steps.recv(), if self.pending.is_none() && !self.is_last() => match step {
                Some(step) => self.take(step).await?,
                None => self.failure = Some(PipelineError::Internal("the task that decodes has ended".into())),
            },
            () = sleep_until(until) => {}
            // Not while a commit has perhaps landed: the compaction would take it for that of a second writer.
            done = self.maintenance.done(), if self.pending.is_none() => if let Some(table) = &mut self.table {
                self.maintenance.finish(table, done, &self.pipeline.report).await?;
            },
            found = next_found(&mut self.copy) => self.found(found)?,
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
                self.pipeline.report.assigned(self.buffer.progress(), &ranges);
            }
            Step::Decoded { partition, decoded, last, held } => {
                let Decoded { changes, next_offset, failure } = decoded;
                if !self.fold_all(partition, &changes).await? {
                    return Ok(());
                }
                self.buffer.seen(partition, next_offset, last, held);
                if self.buffer.is_empty() {
                    self.pipeline.report.applied(&self.buffer.target());
                    self.pass_copy()?;
                }
                if let Some(failure) = failure {
                    self.pipeline.report.cannot_decode();
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
                self.failure = Some(error);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fold(&mut self, partition: i32, batch: &ChangeBatch) -> Result<(), PipelineError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        if self.buffer.contains_all(batch) {
            // Its columns may be those of before the copy.
            self.pipeline.report.skipped(batch.events.len() as u64);
            return Ok(());
        }
        self.buffer.expect_stored_values_of(table.stored_value_bytes());
        let columns = if only_truncates(batch) { table.columns() } else { table.fit(&batch.schema)? };
        let pushed = self.buffer.push(partition, batch, columns)?;
        if pushed.starts_over && table.rows() > 0 {
            self.pipeline.report.starts_over();
        }
        self.pipeline.report.skipped(pushed.skipped);
        if pushed.partly_contained {
            let why = "the table was truncated while its rows were copied";
            return Err(PipelineError::CopyAnew(Anew::unfollowed(why)));
        }
        if !only_truncates(batch) {
            self.pipeline.report.warnings(&batch.schema.warnings);
        }
        Ok(())
    }

    /// Makes the table; false when told to stop before.
    async fn create(&mut self, source: &RowSchema) -> Result<bool, PipelineError> {
        let spec = &self.pipeline.spec;
        self.table = retry(&self.pipeline.report, &self.pipeline.stop, || KeyedTable::create(spec, source)).await?;
        if self.table.is_none() {
            self.told_to_stop();
        }
        Ok(self.table.is_some())
    }

    /// Tells what the table weighs, now and then: it takes a look at every file.
    pub(super) fn tell_stats(&mut self) {
        let now = Instant::now();
        if let Some(table) = &self.table
            && self.weighed.is_none_or(|weighed| now - weighed >= STATS_INTERVAL)
        {
            self.weighed = Some(now);
            self.pipeline.report.stats(&table.stats());
        }
    }
}

async fn next_found(copy: &mut Option<FollowedCopy>) -> Found {
    let found = match copy {
        Some(copy) => copy.found().await,
        None => None,
    };
    match found {
        Some(found) => found,
        None => std::future::pending().await,
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
