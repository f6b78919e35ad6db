//! One table from its topic to its Delta table: opens, reads, folds, commits, and says how it goes.

mod backoff;
mod buffer;
mod commit;
mod copied;
mod decoding;
mod due;
mod maintenance;
mod renew;
mod times;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tributary_crds::OnSourceChange;

pub(crate) use self::backoff::Backoff;
use self::backoff::retry;
use self::buffer::progress;
use self::decoding::Step;
use self::writer::{Followed, Writer};
use crate::change::{PartitionProgress, Progress};
use crate::consume::{ConsumeError, Consumer, Resume};
use crate::copy::{self, CopyError, CopyRecord, CopySource, Copying};
use crate::decode::{DecodeError, Decoder, RegistryError};
use crate::report::{Resyncs, TableHandle};
use crate::table::{Copies, KeyedTable, Opening, TableError, TableSpec};

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
    #[error("the rows are copied anew: {}", .0.why)]
    CopyAnew(Anew),
    /// The same, and the resource says that somebody has to ask for it.
    #[error(
        "{why}: the Delta table may differ from its source since then. Have it copied anew: `kubectl annotate cdc RESOURCE \
         tributary.dev/resync={table}=$(date +%s)`, or `replicator resync`; or set spec.onSourceChange to Resync, so that this \
         happens by itself"
    )]
    SourceChanged {
        /// The table as `schema.table`.
        table: String,
        /// What is the case.
        why: String,
    },
    /// The rows are to be copied again, and nobody reads the database.
    #[error(
        "the rows have to be copied anew ({why}), and spec.replicator.copy.connections is 0, so that the replicator does not \
         read the database: set it to 1 or more"
    )]
    NoSource {
        /// Why they have to be.
        why: String,
    },
    /// A fault of this program.
    #[error(
        "internal error: {0}; nothing was lost or applied twice. Report it with the log of that time, and restart the \
         table (POST /tables/NAME/restart, or `replicator restart`)"
    )]
    Internal(String),
}

/// Why a table's rows are to be copied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    /// In words.
    pub why: String,
    /// Events still fit the rows that are there, so that these are followed meanwhile.
    pub follows: bool,
}

impl Anew {
    /// What the events say does not fit the rows any more.
    pub(crate) fn unfollowed(why: impl Into<String>) -> Self {
        Self { why: why.into(), follows: false }
    }
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
    /// What becomes of the table when its source is not what was copied.
    pub on_source_change: OnSourceChange,
    /// Wishes for copies anew.
    pub resyncs: Resyncs,
    /// Of a shadow: it ends when it has passed its copy and was applied up to these offsets.
    pub until: Option<BTreeMap<i32, i64>>,
    /// Where to say how it goes.
    pub report: TableHandle,
    /// Told to stop.
    pub stop: CancellationToken,
}

/// How the work on a table ended, where it may go on.
enum Ended {
    /// It was told to stop.
    Stopped,
    /// Its log says something else now: a copy anew has begun, or has taken the place of its rows.
    Again,
}

impl Pipeline {
    /// Replicates until told to stop, or until the table cannot go on. `decoder` makes what understands the messages of the topic.
    pub async fn run(mut self, decoder: impl Fn() -> Result<Decoder, RegistryError>) -> Result<(), PipelineError> {
        self.limits.bytes = self.limits.bytes.min(LARGEST_COMMIT);
        let mut refitted = None;
        loop {
            let anew = match Box::pin(self.work(&decoder)).await {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Again) => continue,
                Err(error) => self.anew(error, &mut refitted)?,
            };
            if !self.begin_shadow(&anew, None).await? {
                return Ok(());
            }
        }
    }

    /// What is to be done about the table now.
    async fn work(&self, decoder: &impl Fn() -> Result<Decoder, RegistryError>) -> Result<Ended, PipelineError> {
        let Self { spec, report, stop, .. } = self;
        let Some(copies) = retry(report, stop, || Copies::read(spec)).await? else { return Ok(Ended::Stopped) };
        let Copies { shadow, resynced } = copies.clone().unwrap_or_default();
        let wish = self.resyncs.wish(&report.name(), resynced.as_deref());
        report.resync_refused(wish.is_some() && self.source.is_none());
        let wish = wish.filter(|_| self.source.is_some());
        if let (Some(wish), Some(_)) = (wish, copies) {
            let anew = Anew { why: "asked for".to_owned(), follows: true };
            return Ok(if self.begin_shadow(&anew, Some(&wish)).await? { Ended::Again } else { Ended::Stopped });
        }
        match (shadow, &self.source) {
            (Some(shadow), Some(source)) => {
                report.compared(true, true);
                Box::pin(self.renew(&shadow, source, decoder)).await
            }
            // Its rows may not be those of the source, so that following it would say too much.
            (Some(shadow), None) => Err(PipelineError::NoSource { why: shadow.why }),
            (None, _) => Box::pin(self.follow_own(decoder)).await,
        }
    }

    /// Opens the table, copies the source's rows into it if that was not done, and follows its topic.
    async fn follow_own(&self, decoder: &impl Fn() -> Result<Decoder, RegistryError>) -> Result<Ended, PipelineError> {
        let Some(table) = self.open().await? else { return Ok(Ended::Stopped) };
        Box::pin(self.follow(table, decoder()?)).await?;
        Ok(Ended::Stopped)
    }

    /// `None` when told to stop; `Some(None)` when there is no table before the first event.
    async fn open(&self) -> Result<Option<Option<KeyedTable>>, PipelineError> {
        let Some(table) = self.open_as_it_is().await? else { return Ok(None) };
        let is_known = table.as_ref().is_none_or(|table| table.copy_record().is_some());
        self.report.compared(self.source.is_some(), is_known);
        let Some(source) = &self.source else { return Ok(Some(table)) };
        Ok(Box::pin(copy::ensure(&self.copying(source), table, false)).await?.map(Some))
    }

    async fn open_as_it_is(&self) -> Result<Option<Option<KeyedTable>>, PipelineError> {
        let Self { spec, report, stop, .. } = self;
        tokio::select! {
            opened = retry(report, stop, || KeyedTable::open(spec)) => opened,
            never = tell_opening(report, &spec.opening) => match never {},
        }
    }

    fn copying<'a>(&'a self, source: &'a CopySource) -> Copying<'a> {
        let Self { spec, consumer, report, stop, .. } = self;
        Copying { source, spec, consumer, report, stop }
    }

    /// Follows the topic from where the table is, until told to stop.
    async fn follow(&self, table: Option<KeyedTable>, decoder: Decoder) -> Result<Followed, PipelineError> {
        let record = table.as_ref().and_then(KeyedTable::copy_record).map(CopyRecord::parse).transpose()?;
        if record.as_ref().is_some_and(|record| !record.is_passed()) {
            self.report.follows_copy(false);
        }
        // A topic is not followed from where the table is if the two do not belong together any more.
        if let (Some(source), Some(record)) = (&self.source, &record) {
            copy::compare(source, record, &self.report).await?;
        }
        if let Some(record) = &record {
            self.report.follows_copy(record.is_passed());
        }
        let (writer, steps) = self.writer(table, decoder);
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

    /// A writer of the table, and what it is to write.
    fn writer(&self, table: Option<KeyedTable>, decoder: Decoder) -> (Writer, mpsc::UnboundedReceiver<Step>) {
        let progress = progress(table.as_ref());
        let subscription = self.consumer.subscribe(&self.spec.topic, resume(&progress));
        let steps = decoding::start(subscription.deliveries, decoder, self.report.clone());
        self.report.watch_memory(subscription.share.clone());
        if let Some(table) = &table {
            self.report.opened(table.version(), table.rows(), &progress);
        }
        (Writer::new(self.clone(), subscription.share, table), steps)
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
