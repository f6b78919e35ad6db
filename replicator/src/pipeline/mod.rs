//! One table from its topic to its Delta table: opens, reads, folds, commits, and says how it goes.

mod backoff;
mod buffer;
mod commit;
mod copied;
mod decoding;
mod due;
mod maintenance;
mod times;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::backoff::Backoff;
use self::backoff::retry;
use self::buffer::progress;
use self::writer::Writer;
use crate::change::{PartitionProgress, Progress};
use crate::consume::{ConsumeError, Consumer, Resume};
use crate::copy::{self, CopyError, CopyRecord, CopySource, Copying};
use crate::decode::{DecodeError, Decoder, RegistryError};
use crate::report::TableHandle;
use crate::table::{KeyedTable, Opening, TableError, TableSpec};

/// Bytes of one commit, whatever its limits say: Arrow's text columns end at 2 GiB.
const LARGEST_COMMIT: usize = 1 << 30;

/// How often it is told how far the opening of a table is.
const OPENING_INTERVAL: Duration = Duration::from_secs(5);

/// A table that was copied anew because its columns had changed does not fit its events again so soon: that is no change of them,
/// and copying once more would not help.
const REFIT_INTERVAL: Duration = Duration::from_mins(10);

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
    /// The schema registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The Delta table cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The source's rows cannot be copied, or are not what was copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The stream alone does not lead to what the source has: its rows are to be copied again.
    #[error("the rows are copied anew: {0}")]
    CopyAnew(String),
    /// A fault of this program.
    #[error(
        "internal error: {0}; nothing was lost or applied twice. Report it with the log of that time, and restart the \
         table (POST /tables/NAME/restart, or `replicator restart`)"
    )]
    Internal(String),
}

/// Everything that one table needs.
#[derive(Clone)]
pub struct Pipeline {
    /// The Delta table.
    pub spec: TableSpec,
    /// The database that its rows are copied from; without one, all of them come with events.
    pub source: Option<CopySource>,
    /// Reads the topic.
    pub consumer: Consumer,
    /// When to commit.
    pub limits: CommitLimits,
    /// Where to say how it goes.
    pub report: TableHandle,
    /// Told to stop.
    pub stop: CancellationToken,
}

impl Pipeline {
    /// Replicates until told to stop, or until the table cannot go on. `decoder` makes what understands the messages of the topic.
    pub async fn run(mut self, decoder: impl Fn() -> Result<Decoder, RegistryError>) -> Result<(), PipelineError> {
        self.limits.bytes = self.limits.bytes.min(LARGEST_COMMIT);
        let (mut anew, mut refitted) = (false, None);
        loop {
            let Some(table) = Box::pin(self.open(anew)).await? else { return Ok(()) };
            match Box::pin(self.follow(table, decoder()?)).await {
                // Events have other columns than the table now: only with all rows do they fit.
                Err(PipelineError::Table(error @ (TableError::ColumnType { .. } | TableError::KeyChanged { .. })))
                    if self.source.is_some() && refitted.is_none_or(|at: Instant| at.elapsed() > REFIT_INTERVAL) =>
                {
                    refitted = Some(Instant::now());
                    self.report.copied_anew(&error.to_string());
                    anew = true;
                }
                Err(PipelineError::CopyAnew(why)) => {
                    self.report.copied_anew(&why);
                    anew = true;
                }
                ended => return ended,
            }
        }
    }

    /// Opens the table, and copies the source's rows into it if that was not done, or has to be done `anew`. `None` when told to
    /// stop; `Some(None)` when there is no table before the first event.
    async fn open(&mut self, anew: bool) -> Result<Option<Option<KeyedTable>>, PipelineError> {
        let Self { spec, source, consumer, report, stop, .. } = self;
        let opened = tokio::select! {
            opened = retry(report, stop, || KeyedTable::open(spec)) => opened?,
            never = tell_opening(report, &spec.opening) => match never {},
        };
        let Some(table) = opened else { return Ok(None) };
        let Some(source) = source else { return Ok(Some(table)) };
        let copying = Copying { source, spec, consumer, report, stop };
        Ok(Box::pin(copy::ensure(&copying, table, anew)).await?.map(Some))
    }

    /// Follows the topic from where the table is.
    async fn follow(&self, table: Option<KeyedTable>, decoder: Decoder) -> Result<(), PipelineError> {
        let progress = progress(table.as_ref());
        let record = table.as_ref().and_then(KeyedTable::copy_record).map(CopyRecord::parse).transpose()?;
        // A topic is not followed from where the table is if the two do not belong together any more.
        if let (Some(source), Some(record)) = (&self.source, &record) {
            copy::compare(source, record).await?;
        }
        let subscription = self.consumer.subscribe(&self.spec.topic, resume(&progress));
        let (share, steps) =
            (subscription.share, decoding::start(subscription.deliveries, decoder, self.report.clone()));
        self.report.watch_memory(share.clone());
        if let Some(table) = &table {
            self.report.opened(table.version(), table.rows(), &progress);
        }
        let writer = Writer::new(self.clone(), share, table);
        let (Some(source), Some(record)) = (&self.source, record) else { return writer.run(steps).await };
        let (sender, found) = mpsc::unbounded_channel();
        let topic = (self.consumer.clone(), self.spec.topic.clone());
        let watch = copy::watch(source.clone(), record.clone(), topic, self.report.clone(), sender);
        let writer = writer.of_copy(record, found)?;
        tokio::select! {
            ended = writer.run(steps) => ended,
            why = watch => Err(why),
        }
    }
}

/// Says now and then how far the opening is, while that takes long.
async fn tell_opening(report: &TableHandle, opening: &Opening) -> Infallible {
    loop {
        tokio::time::sleep(OPENING_INTERVAL).await;
        if let Some((known, files)) = opening.progress() {
            report.waiting(&format!("reading keys for the key index: {known} of {files} data files are done"));
        }
    }
}

/// Where to go on reading.
fn resume(progress: &PartitionProgress) -> HashMap<i32, Resume> {
    let resume = |progress: &Progress| Resume { next: progress.next_offset, last_ts_ms: progress.message_ts_ms };
    progress.iter().map(|(partition, progress)| (*partition, resume(progress))).collect()
}
