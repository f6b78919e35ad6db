//! What waits for the next commit of a table, and what that commit will say of the progress.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use tokio::time::Instant;

use super::times::Times;
use crate::change::{ChangeBatch, Event, Fold, Folded, KeyHash, Op, PartitionProgress, Progress, SnapshotId, Verdict};
use crate::consume::{Held, Share};
use crate::copy::{Contained, Verdicts};
use crate::table::{Columns, KeyedTable, TableError};

/// Memory that the outcome of one key takes beside its row while more events come.
const OUTCOME_BYTES: usize = 128;
/// Memory that it takes besides when the rows are sorted and looked up in the key index.
const COMMITTED_OUTCOME_BYTES: usize = 160;

/// Events that were decoded and not yet committed.
pub(super) struct Buffer {
    fold: Option<Fold>,
    held: Vec<Held>,
    bytes: usize,
    /// Bytes of outcomes and of values to be read that `held` counts.
    outcome_bytes: usize,
    /// Bytes of a value that is to be read from a stored row, about.
    stored_value_bytes: usize,
    progress: PartitionProgress,
    /// What the Delta log says.
    committed: PartitionProgress,
    /// Where a commit ends that leaves the first half of a key change here.
    half: Option<FirstHalf>,
    since: Option<Instant>,
    ahead: Option<Instant>,
    times: Times,
    /// Tells what the copy contains that the table began with.
    contained: Option<Verdicts>,
}

/// The last first half of a key change.
struct FirstHalf {
    event: Event,
    partition: i32,
    /// The progress before it.
    progress: Progress,
    /// The times of the events before it.
    times: Times,
}

/// The message before the next offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastMessage {
    /// Kafka's timestamp of it, if it has one.
    pub timestamp_ms: Option<i64>,
}

/// What became of the events of one batch.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    /// The table starts over with a row of a snapshot among them.
    pub starts_over: bool,
    /// How many were applied before, or are in the copy, and left out.
    pub skipped: u64,
    /// One of them is in some chunks of the copy and not in others; it and those after it were not folded in.
    pub partly_contained: bool,
}

/// What is taken out of a [`Buffer`] for one commit.
pub(super) struct Pending {
    pub folded: Folded,
    pub progress: PartitionProgress,
    pub times: Times,
    /// What the commit needs besides, in bytes.
    work: usize,
    /// Given back when the commit is done.
    held: Vec<Held>,
}

impl Pending {
    /// Counts what the commit needs beside the events and their outcomes: the rows once more, in order, and as a file,
    /// and their keys.
    pub(super) fn work_within(&mut self, share: &Share) {
        self.held.push(share.hold(self.work));
    }
}

impl Buffer {
    /// `progress`: what the Delta log says.
    pub(super) fn new(progress: PartitionProgress) -> Self {
        Self {
            fold: None,
            held: Vec::new(),
            bytes: 0,
            outcome_bytes: 0,
            stored_value_bytes: 0,
            committed: progress.clone(),
            progress,
            half: None,
            since: None,
            ahead: None,
            times: Times::default(),
            contained: None,
        }
    }

    pub(super) fn progress(&self) -> &PartitionProgress {
        &self.progress
    }

    /// Leaves out the events that a copy contains.
    pub(super) fn leave_out(&mut self, contained: Verdicts) {
        self.contained = Some(contained);
    }

    /// The copy contains all of these events.
    pub(super) fn contains_all(&self, batch: &ChangeBatch) -> bool {
        let verdicts = self.contained.as_ref().filter(|verdicts| verdicts.has_chunks());
        verdicts.is_some_and(|verdicts| verdicts.judge(batch).iter().all(|contained| *contained == Contained::Yes))
    }

    /// The partitions that are read; those that nothing was applied from yet start at `next`.
    pub(super) fn assigned(&mut self, partition: i32, next: i64) {
        self.progress.entry(partition).or_insert(Progress { next_offset: next, ..Progress::default() });
    }

    /// A value that is to be read from a stored row has about so many bytes.
    pub(super) fn expect_stored_values_of(&mut self, bytes: usize) {
        self.stored_value_bytes = bytes;
    }

    /// Folds events in; those that were applied before are left out. After an error the progress is that of the last event
    /// that was folded in.
    pub(super) fn push(
        &mut self,
        partition: i32,
        batch: &ChangeBatch,
        columns: &Columns,
    ) -> Result<Pushed, TableError> {
        let arrow = columns.arrow();
        let fold = match &mut self.fold {
            Some(fold) => fold,
            none => none.insert(Fold::new(Arc::clone(arrow), columns.key().to_vec(), columns.key_encoder()?)),
        };
        fold.widen(arrow)?;
        let progress = self.progress.entry(partition).or_default();
        let (times, half) = (&mut self.times, &mut self.half);
        let copied = self.contained.as_ref().is_some_and(Verdicts::has_chunks);
        let mut begun = None::<SnapshotId>;
        let (mut skipped, mut partly_contained) = (0, false);
        let mut contained =
            self.contained.as_ref().map(|verdicts| verdicts.judge(batch)).unwrap_or_default().into_iter();
        fold.push(batch, |event| {
            let contained = contained.next().unwrap_or(Contained::No);
            let verdict = match (progress.judge(event), contained) {
                _ if partly_contained => return Verdict::Skip,
                (Verdict::Skip, _) => Verdict::Skip,
                (_, Contained::Yes) => {
                    skipped += 1;
                    return Verdict::Contained;
                }
                (_, Contained::Partly) => {
                    partly_contained = true;
                    return Verdict::Skip;
                }
                (Verdict::Apply, Contained::No) if event.moved_key && copied => Verdict::ApplyAlone,
                (verdict, Contained::No) => verdict,
            };
            if verdict == Verdict::Skip {
                skipped += 1;
                return verdict;
            }
            if event.moves_key {
                *half = Some(FirstHalf { event: *event, partition, progress: *progress, times: *times });
            }
            progress.advance(event);
            times.note(event);
            if verdict == Verdict::StartOver {
                begun = progress.snapshot;
            }
            verdict
        })?;
        if !fold.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
        if begun.is_some() {
            // It empties the whole table, whichever partition it shows in first.
            self.progress.values_mut().for_each(|progress| progress.snapshot = begun);
        }
        Ok(Pushed { starts_over: begun.is_some(), skipped, partly_contained })
    }

    /// Everything before `next` was seen, whether or not it changed anything; `last` is the last message of it, if there
    /// was any. `held` is the memory of the events among it.
    pub(super) fn seen(&mut self, partition: i32, next: i64, last: Option<LastMessage>, held: Held) {
        let progress = self.progress.entry(partition).or_default();
        if next > progress.next_offset {
            progress.next_offset = next;
            if let Some(LastMessage { timestamp_ms }) = last {
                progress.message_ts_ms = timestamp_ms;
            }
        }
        if self.is_empty() {
            // The first half of a key change needs no memory: only its key is kept.
            if self.is_ahead() {
                self.ahead.get_or_insert_with(Instant::now);
            }
            return;
        }
        self.hold(held);
    }

    fn hold(&mut self, mut held: Held) {
        let outcomes = self.fold.as_ref().map_or(0, |fold| {
            fold.keys() * OUTCOME_BYTES + fold.stored_values().saturating_mul(self.stored_value_bytes)
        });
        held.resize(held.bytes() + outcomes.saturating_sub(self.outcome_bytes));
        self.outcome_bytes = outcomes;
        self.bytes += held.bytes();
        self.held.push(held);
    }

    /// There is nothing that a commit would apply.
    pub(super) fn is_empty(&self) -> bool {
        self.fold.as_ref().is_none_or(Fold::is_empty)
    }

    /// Bytes of memory that the events hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first of the events came that a commit would apply.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Since when more was read than the log says, with nothing to apply.
    pub(super) fn ahead(&self) -> Option<Instant> {
        self.ahead.filter(|_| self.is_ahead())
    }

    fn is_ahead(&self) -> bool {
        let committed = |partition| self.committed.get(partition).map_or(0, |progress| progress.next_offset);
        self.target().iter().any(|(partition, progress)| progress.next_offset > committed(partition))
    }

    /// What a commit says of the progress: it ends before the first half of a key change whose second half is not here.
    pub(super) fn target(&self) -> PartitionProgress {
        let mut target = self.progress.clone();
        if let Some(half) = self.waiting_half() {
            target.insert(half.partition, half.progress);
        }
        target
    }

    fn waiting_half(&self) -> Option<&FirstHalf> {
        self.half.as_ref().filter(|_| self.fold.as_ref().is_some_and(Fold::awaits_new_key))
    }

    /// The keys whose stored rows have values that no event has, in pairs of which one must be there.
    pub(super) fn stored_keys(&self) -> Vec<[KeyHash; 2]> {
        self.fold.as_ref().map(Fold::stored_keys).unwrap_or_default()
    }

    /// The keys of rows that lack a value, given which rows the table has.
    pub(super) fn lacking(&self, is_stored: impl Fn(KeyHash) -> bool) -> Vec<KeyHash> {
        self.fold.as_ref().map(|fold| fold.lacking(is_stored)).unwrap_or_default()
    }

    /// The key columns of these keys' rows.
    pub(super) fn key_rows(&self, keys: &[KeyHash]) -> Result<Option<RecordBatch>, TableError> {
        Ok(self.fold.as_ref().map(|fold| fold.key_rows(keys)).transpose()?)
    }

    /// Takes what the rows of these keys lack from rows of the source.
    pub(super) fn supply(&mut self, rows: &RecordBatch, keys: &[KeyHash]) -> Result<(), TableError> {
        Ok(self.fold.as_mut().map_or(Ok(()), |fold| fold.supply(rows, keys))?)
    }

    /// Takes everything out for a commit but the first half of a key change. `schema`: the table's.
    pub(super) fn take(&mut self, schema: &SchemaRef) -> Result<Pending, TableError> {
        let progress = self.target();
        let waits = self.waiting_half().is_some();
        let folded = match &mut self.fold {
            Some(fold) => {
                fold.widen(schema)?;
                fold.take()?
            }
            None => Folded::empty(Arc::clone(schema)),
        };
        let mut times = std::mem::take(&mut self.times);
        if let Some(half) = self.half.as_mut().filter(|_| waits) {
            self.times.note(&half.event);
            times = std::mem::take(&mut half.times);
        }
        let keys = folded.upserted().len() + folded.deleted().len();
        let work = self.bytes.saturating_sub(self.outcome_bytes) + keys * COMMITTED_OUTCOME_BYTES;
        (self.bytes, self.outcome_bytes, self.since, self.ahead) = (0, 0, None, None);
        Ok(Pending { folded, progress, times, work, held: std::mem::take(&mut self.held) })
    }

    /// The log says `progress` now.
    pub(super) fn committed(&mut self, progress: &PartitionProgress) {
        self.committed.clone_from(progress);
    }
}

/// Whether `batch` only empties a table and says nothing of its columns' key: a truncate has no key of its own.
pub(super) fn only_truncates(batch: &ChangeBatch) -> bool {
    batch.schema.key.is_empty() && batch.events.iter().all(|event| event.op == Op::Truncate)
}

/// How far the table was applied, per partition.
pub(super) fn progress(table: Option<&KeyedTable>) -> PartitionProgress {
    table.map(|table| table.progress().clone()).unwrap_or_default()
}
