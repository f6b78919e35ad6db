//! What waits for the next commit of a table, and what that commit will say of the progress.

use std::sync::Arc;

use tokio::time::Instant;

use crate::change::{ChangeBatch, Event, Fold, Folded, Op, PartitionProgress, Progress, SnapshotId, Verdict};
use crate::consume::Held;
use crate::table::{Columns, KeyedTable, TableError};

/// Events that were decoded and not yet committed.
pub(super) struct Buffer {
    fold: Option<Fold>,
    held: Vec<Held>,
    bytes: usize,
    progress: PartitionProgress,
    since: Option<Instant>,
    times: Times,
}

/// When the buffered events happened at the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// `source.ts_ms` of the oldest change that is no row of a snapshot.
    pub oldest_change_ms: Option<i64>,
    /// `source.ts_ms` of the newest event.
    pub newest_ms: Option<i64>,
    /// The last row of a snapshot, or a change after it, is among the events.
    pub snapshot_completed: bool,
}

impl Times {
    fn note(&mut self, event: &Event) {
        let at = event.source_ts_ms;
        self.newest_ms = self.newest_ms.max(Some(at));
        if !matches!(event.op, Op::Read { .. }) {
            self.oldest_change_ms = Some(self.oldest_change_ms.map_or(at, |oldest| oldest.min(at)));
        }
        self.snapshot_completed |= !matches!(event.op, Op::Read { last: false });
    }
}

/// The message before the next offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastMessage {
    /// Kafka's timestamp of it, if it has one.
    pub timestamp_ms: Option<i64>,
}

/// What is taken out of a [`Buffer`] for one commit.
pub(super) struct Pending {
    pub folded: Folded,
    pub progress: PartitionProgress,
    pub times: Times,
    /// Given back when the commit is done.
    _held: Vec<Held>,
}

impl Buffer {
    pub(super) fn new(progress: PartitionProgress) -> Self {
        Self { fold: None, held: Vec::new(), bytes: 0, progress, since: None, times: Times::default() }
    }

    pub(super) fn progress(&self) -> &PartitionProgress {
        &self.progress
    }

    /// The partitions that are read; those that nothing was applied from yet start at `next`.
    pub(super) fn assigned(&mut self, partition: i32, next: i64) {
        self.progress.entry(partition).or_insert(Progress { next_offset: next, ..Progress::default() });
    }

    /// Folds events in; those that were applied before are left out. Returns the snapshot with which the table starts
    /// over, if one begins here.
    pub(super) fn push(
        &mut self,
        partition: i32,
        batch: &ChangeBatch,
        columns: &Columns,
    ) -> Result<Option<SnapshotId>, TableError> {
        let arrow = columns.arrow();
        let fold = match &mut self.fold {
            Some(fold) => fold,
            none => none.insert(Fold::new(Arc::clone(arrow), columns.key().to_vec(), columns.key_encoder()?)),
        };
        fold.widen(arrow)?;
        let progress = self.progress.entry(partition).or_default();
        let times = &mut self.times;
        let mut begun = None;
        fold.push(batch, |event| {
            let verdict = progress.judge(event);
            if verdict != Verdict::Skip {
                progress.advance(event);
                times.note(event);
            }
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
        Ok(begun)
    }

    /// Everything before `next` was seen, whether or not it changed anything; `last` is the last message of it, if there
    /// was any.
    pub(super) fn seen(&mut self, partition: i32, next: i64, last: Option<LastMessage>, held: Held) {
        let progress = self.progress.entry(partition).or_default();
        progress.next_offset = progress.next_offset.max(next);
        if let Some(LastMessage { timestamp_ms }) = last {
            progress.message_ts_ms = timestamp_ms;
        }
        if self.is_empty() {
            return;
        }
        self.bytes += held.bytes();
        self.held.push(held);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fold.as_ref().is_none_or(Fold::is_empty)
    }

    /// Bytes of memory that the events hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first of the events came.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// A commit here would part the two halves of a key change: the second one needs values of the row that the first
    /// one removes.
    pub(super) fn parts_key_change(&self) -> bool {
        self.fold.as_ref().is_some_and(Fold::awaits_new_key)
    }

    /// A commit here would fail for a value that `table` does not have; the event that makes it needless may be on its way.
    pub(super) async fn lacks_value(&self, table: &KeyedTable) -> Result<bool, TableError> {
        let Some(fold) = &self.fold else { return Ok(false) };
        let mut keys = Vec::new();
        fold.lacks_value(|key| {
            keys.push(key);
            true
        });
        let there: std::collections::HashMap<_, _> =
            keys.iter().copied().zip(table.has_rows(keys.clone()).await?).collect();
        Ok(fold.lacks_value(|key| there.get(&key).copied().unwrap_or(false)))
    }

    /// Takes all events out for a commit; `None` when there are none.
    pub(super) fn take(&mut self) -> Result<Option<Pending>, TableError> {
        let Some(fold) = self.fold.as_mut().filter(|fold| !fold.is_empty()) else { return Ok(None) };
        let folded = fold.take()?;
        self.bytes = 0;
        self.since = None;
        let held = std::mem::take(&mut self.held);
        let times = std::mem::take(&mut self.times);
        Ok(Some(Pending { folded, progress: self.progress.clone(), times, _held: held }))
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
