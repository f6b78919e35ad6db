//! The commits of a table's writer: taken from the buffer, tried until they land, and told.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::PipelineError;
use super::backoff::Backoff;
use super::buffer::Pending;
use super::due::{Decision, Lack, Why, commit_due};
use super::writer::Writer;
use crate::change::KeyHash;
use crate::report::CommitReport;
use crate::table::{Committed, KeyedTable, TableError};

/// How long a running commit may go on after the table was told to stop.
const COMMIT_GRACE: Duration = Duration::from_secs(15);

impl Writer {
    /// Commits what is buffered, or tries again what did not succeed; false when there was not enough time for it.
    pub(super) async fn commit(&mut self, why: Why) -> Result<bool, PipelineError> {
        let mut backoff = self.retry.take().map_or_else(Backoff::new, |(_, backoff)| backoff);
        let attempt = match self.attempt(why).await {
            Ok(in_time) => return Ok(in_time),
            Err(error) => backoff.after(error.into(), &self.pipeline.report),
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
    async fn take_pending(&mut self) -> Result<bool, TableError> {
        let Some(table) = &self.table else { return Ok(false) };
        let lacks = lacks_value(table, &self.buffer.stored_keys()).await?;
        let now = Instant::now();
        if lacks && self.lack.is_none() {
            self.pipeline
                .report
                .noted("a change leaves a value out that the table does not have: waiting for the row's delete");
        }
        self.lack = lacks.then(|| Lack { since: self.lack.map_or(now, |lack| lack.since), looked: now });
        if !matches!(commit_due(&self.pipeline.limits, &self.facts(), now), Decision::Commit(_)) {
            return Ok(false);
        }
        let mut pending = self.buffer.take(table.columns().arrow())?;
        pending.work_within(&self.share);
        self.pending = Some(pending);
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
        self.pipeline.report.committed(&report, jiff::Timestamp::now());
        self.maintenance.committed();
        self.tell_stats();
        let offsets = pending.progress.iter().map(|(partition, progress)| (*partition, progress.next_offset));
        self.pipeline.consumer.commit_group_offsets(&self.pipeline.spec.topic, offsets.collect());
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
