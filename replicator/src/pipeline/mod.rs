//! One table from its topic to its Delta table: opens, reads, folds, commits, and says how it goes.

mod backoff;
mod buffer;
mod commit;
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

use tokio_util::sync::CancellationToken;

use self::backoff::retry;
use self::buffer::progress;
use self::writer::Writer;
use crate::change::{PartitionProgress, Progress};
use crate::consume::{ConsumeError, Consumer, Resume};
use crate::decode::{DecodeError, Decoder, RegistryError};
use crate::report::TableHandle;
use crate::table::{KeyedTable, Opening, TableError, TableSpec};

/// Bytes of one commit, whatever its limits say: Arrow's text columns end at 2 GiB.
const LARGEST_COMMIT: usize = 1 << 30;

/// How often it is told how far the opening of a table is.
const OPENING_INTERVAL: Duration = Duration::from_secs(5);

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
    /// A fault of this program.
    #[error(
        "internal error: {0}; nothing was lost or applied twice. Report it with the log of that time, and restart the \
         table (POST /tables/NAME/restart, or `replicator restart`)"
    )]
    Internal(String),
}

/// Everything that one table needs.
pub struct Pipeline {
    /// The Delta table.
    pub spec: TableSpec,
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
    /// Replicates until told to stop, or until the table cannot go on. `decoder` understands the messages of the topic.
    pub async fn run(mut self, decoder: Decoder) -> Result<(), PipelineError> {
        let Self { spec, consumer, limits, report, stop } = &mut self;
        limits.bytes = limits.bytes.min(LARGEST_COMMIT);
        let opened = tokio::select! {
            opened = retry(report, stop, || KeyedTable::open(spec)) => opened?,
            never = tell_opening(report, &spec.opening) => match never {},
        };
        let Some(opened) = opened else { return Ok(()) };
        let progress = progress(opened.as_ref());
        let subscription = consumer.subscribe(&spec.topic, resume(&progress));
        let (share, steps) = (subscription.share, decoding::start(subscription.deliveries, decoder, report.clone()));
        report.watch_memory(share.clone());
        if let Some(table) = &opened {
            report.opened(table.version(), table.rows(), &progress);
        }
        Writer::new(self, share, opened).run(steps).await
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
