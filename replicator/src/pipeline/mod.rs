//! One table from its topic to its Delta table: opens, reads, folds, commits, and says how it goes.

mod backoff;
mod buffer;
mod decoding;

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
use self::buffer::{Buffer, Pending, only_truncates, progress};
use self::decoding::Step;
use crate::change::{ChangeBatch, PartitionProgress, Progress, RowSchema};
use crate::consume::{ConsumeError, Consumer, Resume, Share};
use crate::decode::{DecodeError, Decoded, Decoder};
use crate::report::{CommitReport, TableHandle, describe};
use crate::table::{Committed, KeyedTable, TableError, TableSpec};

/// How long a running commit may go on after the process was told to stop.
const COMMIT_GRACE: Duration = Duration::from_secs(15);

/// How long the delete of a row may take to come whose value is nowhere: it was in the source's log when the value was looked for.
const DELETE_PATIENCE: Duration = Duration::from_mins(1);

/// How soon it is looked for again.
const DELETE_POLL: Duration = Duration::from_millis(100);

/// When buffered events are committed: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct CommitLimits {
    /// Age of the oldest event.
    pub interval: Duration,
    /// Bytes of memory that the events hold.
    pub bytes: usize,
}

/// Why a table stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The topic cannot be read on.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// A message cannot be decoded; everything before it was applied.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The Delta table cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Everything that one table needs.
pub struct Pipeline {
    /// The Delta table.
    pub spec: TableSpec,
    /// Reads the topic.
    pub consumer: Consumer,
    /// Understands its messages.
    pub decoder: Decoder,
    /// When to commit.
    pub limits: CommitLimits,
    /// Where to say how it goes.
    pub report: TableHandle,
    /// Told to stop.
    pub stop: CancellationToken,
}

/// The process was told to stop, or the table cannot go on.
enum End {
    Stopped,
    Failed(PipelineError),
}

impl<E: Into<PipelineError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Pipeline {
    /// Replicates until told to stop. A table that cannot go on says so in its report and ends alone.
    pub async fn run(self) {
        let report = self.report.clone();
        if let Err(End::Failed(error)) = self.replicate().await {
            report.failed(&describe(&error));
        }
    }

    async fn replicate(self) -> Result<(), End> {
        let Self { spec, consumer, decoder, limits, report, stop } = self;
        let opened = retry(&report, &stop, || KeyedTable::open(&spec)).await?;
        let progress = progress(opened.as_ref());
        let subscription = consumer.subscribe(&spec.topic, resume(&progress));
        let steps = decoding::start(subscription.deliveries, decoder, report.clone());
        if let Some(table) = &opened {
            report.opened(table.version(), table.rows());
        }
        let share = subscription.share;
        let buffer = Buffer::new(progress);
        Writer { spec, consumer, limits, report, stop, share, table: opened, buffer, try_again_at: None }
            .run(steps)
            .await
    }
}

/// The second half of the pipeline: folds what was decoded and commits it.
struct Writer {
    spec: TableSpec,
    consumer: Consumer,
    limits: CommitLimits,
    report: TableHandle,
    stop: CancellationToken,
    share: Share,
    table: Option<KeyedTable>,
    buffer: Buffer,
    /// A commit is due, and waits for an event that it lacks: when it is tried again.
    try_again_at: Option<tokio::time::Instant>,
}

impl Writer {
    async fn run(mut self, mut steps: mpsc::UnboundedReceiver<Step>) -> Result<(), End> {
        loop {
            let due = self.try_again_at.or_else(|| self.buffer.since().map(|since| since + self.limits.interval));
            let due = due.filter(|_| !self.buffer.is_empty() && !self.buffer.parts_key_change());
            let may_make_room = due.is_some() && self.try_again_at.is_none() && self.commit_makes_room();
            tokio::select! {
                () = self.stop.cancelled() => return Err(End::Stopped),
                step = steps.recv() => match step {
                    Some(step) => self.take(step).await?,
                    None => return Ok(()),
                },
                () = until(due) => self.commit_when_complete().await?,
                () = self.share.until_pressed(), if may_make_room => self.commit_when_complete().await?,
            }
        }
    }

    /// Whether most of the memory that this table holds is in the buffer. The rest waits to be decoded, which makes room
    /// by itself: committing for it would make very many very small commits.
    fn commit_makes_room(&self) -> bool {
        self.buffer.bytes() >= self.share.used() / 2
    }

    async fn take(&mut self, step: Step) -> Result<(), End> {
        match step {
            Step::Assigned(ranges) => {
                for range in &ranges {
                    self.buffer.assigned(range.partition, range.next);
                }
                self.report.assigned(self.buffer.progress(), &ranges);
            }
            Step::Decoded { partition, decoded, last, held } => {
                let Decoded { changes, next_offset, failure } = decoded;
                for batch in &changes {
                    self.fold(partition, batch).await?;
                }
                self.buffer.seen(partition, next_offset, last, held);
                if self.buffer.is_empty() {
                    self.report.applied(self.buffer.progress());
                }
                if let Some(failure) = failure {
                    self.commit().await?;
                    return Err(failure.into());
                }
                if self.buffer.bytes() >= self.limits.bytes && !self.buffer.parts_key_change() {
                    self.commit_when_complete().await?;
                }
            }
            Step::Failed(error) => {
                self.commit().await?;
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn fold(&mut self, partition: i32, batch: &ChangeBatch) -> Result<(), End> {
        if only_truncates(batch) {
            if let Some(table) = &self.table {
                self.buffer.push(partition, batch, table.columns())?;
            }
            return Ok(());
        }
        if self.table.is_none() {
            self.create(&batch.schema).await?;
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        let columns = table.fit(&batch.schema)?;
        let begun = self.buffer.push(partition, batch, columns)?;
        if begun.is_some() && table.rows() > 0 {
            self.report.starts_over();
        }
        self.report.warnings(&batch.schema.warnings);
        Ok(())
    }

    async fn create(&mut self, source: &RowSchema) -> Result<(), End> {
        let spec = &self.spec;
        self.table = Some(retry(&self.report, &self.stop, || KeyedTable::create(spec, source)).await?);
        Ok(())
    }

    async fn commit_when_complete(&mut self) -> Result<(), End> {
        let waits_long = self.buffer.since().is_some_and(|since| since.elapsed() > DELETE_PATIENCE);
        let lacks = match &self.table {
            Some(table) if !waits_long => self.buffer.lacks_value(table).await?,
            _ => false,
        };
        if lacks {
            self.try_again_at = Some(tokio::time::Instant::now() + DELETE_POLL);
            return Ok(());
        }
        self.commit().await
    }

    async fn commit(&mut self) -> Result<(), End> {
        self.try_again_at = None;
        let (Some(table), Some(pending)) = (&mut self.table, self.buffer.take()?) else { return Ok(()) };
        let started = Instant::now();
        let mut backoff = Backoff::new();
        let committed = loop {
            let attempt = table.commit(&pending.folded, &pending.progress);
            match within_grace(&self.stop, attempt).await? {
                Ok(committed) => break committed,
                Err(error) if error.is_transient() => {
                    self.report.retrying(&describe(&error));
                    pause(&self.stop, backoff.next()).await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.report_commit(committed, &pending, started.elapsed());
        let offsets = pending.progress.iter().map(|(partition, progress)| (*partition, progress.next_offset));
        self.consumer.commit_group_offsets(&self.spec.topic, offsets.collect());
        Ok(())
    }

    fn report_commit(&self, committed: Committed, pending: &Pending, duration: Duration) {
        let report = CommitReport {
            committed,
            counts: pending.folded.counts,
            progress: &pending.progress,
            snapshot_completed: pending.times.snapshot_completed,
            oldest_change_ts_ms: pending.times.oldest_change_ms,
            newest_source_ts_ms: pending.times.newest_ms,
            duration,
        };
        self.report.committed(&report, jiff::Timestamp::now());
    }
}

/// Where to go on reading.
fn resume(progress: &PartitionProgress) -> HashMap<i32, Resume> {
    let resume = |progress: &Progress| Resume { next: progress.next_offset, last_ts_ms: progress.message_ts_ms };
    progress.iter().map(|(partition, progress)| (*partition, resume(progress))).collect()
}

/// Repeats what can succeed by itself, and says what it waits for.
async fn retry<T, F>(report: &TableHandle, stop: &CancellationToken, mut attempt: impl FnMut() -> F) -> Result<T, End>
where
    F: Future<Output = Result<T, TableError>>,
{
    let mut backoff = Backoff::new();
    loop {
        let result = tokio::select! {
            result = attempt() => result,
            () = stop.cancelled() => return Err(End::Stopped),
        };
        match result {
            Err(error) if error.is_transient() => report.retrying(&describe(&error)),
            Err(error) => return Err(error.into()),
            Ok(value) => return Ok(value),
        }
        pause(stop, backoff.next()).await?;
    }
}

async fn pause(stop: &CancellationToken, delay: Duration) -> Result<(), End> {
    tokio::select! {
        () = tokio::time::sleep(delay) => Ok(()),
        () = stop.cancelled() => Err(End::Stopped),
    }
}

/// Lets a running commit go on for a while after the process was told to stop, then abandons it.
async fn within_grace<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, End> {
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(COMMIT_GRACE).await;
    };
    tokio::select! {
        done = work => Ok(done),
        () = too_late => Err(End::Stopped),
    }
}

async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
