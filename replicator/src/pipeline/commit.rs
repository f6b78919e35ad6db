//! The commits of a table's writer: taken from the buffer, tried until they land, and told.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::PipelineError;
use super::backoff::Backoff;
use super::buffer::Pending;
use super::due::{Decision, Lack, Why, commit_due};
use super::writer::Writer;
use crate::change::KeyHash;
use crate::copy;
use crate::report::CommitReport;
use crate::table::Committed;

/// Rows that are looked up at the source by one statement.
const LOOK_UP_ROWS: usize = 500;
/// How long a running commit may go on after the table was told to stop.
const COMMIT_GRACE: Duration = Duration::from_secs(15);

impl Writer {
    /// Commits what is buffered, or tries again what did not succeed; false when there was not enough time for it.
    pub(super) async fn commit(&mut self, why: Why) -> Result<bool, PipelineError> {
        let mut backoff = self.retry.take().map_or_else(Backoff::new, |(_, backoff)| backoff);
        let attempt = match self.attempt(why).await {
            Ok(in_time) => {
                self.pass_copy()?;
                return Ok(in_time);
            }
            Err(error) => backoff.after(error, &self.pipeline.report),
        };
        match attempt {
            Ok(pause) => self.retry = Some((Instant::now() + pause, backoff)),
            // The error of the commit says more than what would have ended the table after it.
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    async fn attempt(&mut self, why: Why) -> Result<bool, PipelineError> {
        if self.pending.is_none() && !self.take_pending().await? {
            return Ok(true);
        }
        let (Some(table), Some(pending)) = (&mut self.table, &self.pending) else { return Ok(true) };
        let started = Instant::now();
        let attempt = table.commit(&pending.folded, &pending.progress);
        let Some(committed) = within_grace(&self.pipeline.stop, &mut self.stopped, attempt).await else {
            return Ok(false);
        };
        let committed = committed?;
        if let Some(pending) = self.pending.take() {
            self.landed(&committed, &pending, started.elapsed(), why);
        }
        Ok(true)
    }

    /// Takes what is buffered for a commit; false when a value that it needs is nowhere, and may still become needless.
    async fn take_pending(&mut self) -> Result<bool, PipelineError> {
        if self.table.is_none() {
            return Ok(false);
        }
        let lacks = self.lacks_value().await?;
        let now = Instant::now();
        if lacks && self.lack.is_none() {
            self.pipeline
                .report
                .noted("a change leaves a value out that the table does not have: waiting for the row's delete");
        }
        // What the source does not have any more, some change takes away that is still to come.
        let since = self.lack.filter(|_| self.pipeline.source.is_none()).map_or(now, |lack| lack.since);
        self.lack = lacks.then_some(Lack { since, looked: now });
        if !matches!(commit_due(&self.pipeline.limits, &self.facts(), now), Decision::Commit(_)) {
            return Ok(false);
        }
        let Some(table) = &self.table else { return Ok(false) };
        let mut pending = self.buffer.take(table.columns().arrow())?;
        pending.work_within(&self.share);
        self.pending = Some(pending);
        Ok(true)
    }

    /// Whether a value is nowhere: not in the table, and not at the source if that is known.
    async fn lacks_value(&mut self) -> Result<bool, PipelineError> {
        let Some(table) = &self.table else { return Ok(false) };
        let keys = self.buffer.stored_keys().into_flattened();
        let found = if keys.is_empty() { Vec::new() } else { table.has_rows(keys.clone()).await? };
        let stored: HashSet<KeyHash> =
            keys.into_iter().zip(found).filter_map(|(key, found)| found.then_some(key)).collect();
        let lacking = self.buffer.lacking(|key| stored.contains(&key));
        let Some(source) = self.pipeline.source.as_ref().filter(|_| !lacking.is_empty()) else {
            return Ok(!lacking.is_empty());
        };
        for lacking in lacking.chunks(LOOK_UP_ROWS) {
            let Some(keys) = self.buffer.key_rows(lacking)? else { break };
            for rows in copy::look_up(source, &keys).await? {
                self.buffer.supply(&rows, lacking)?;
            }
        }
        Ok(!self.buffer.lacking(|key| stored.contains(&key)).is_empty())
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
            oldest_message_ts_ms: pending.times.oldest_message_ms,
            newest_source_ts_ms: pending.times.newest_ms,
            duration,
            why: why.name(),
        };
        self.pipeline.report.committed(&report, jiff::Timestamp::now());
        self.maintenance.committed();
        self.tell_stats();
        let offsets = pending.progress.iter().map(|(partition, progress)| (*partition, progress.next_offset));
        self.pipeline.consumer.commit_group_offsets(&self.pipeline.spec.topic, offsets.collect());
    }
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
