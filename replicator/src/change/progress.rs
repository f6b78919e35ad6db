//! How far a topic partition was applied, and whether an event is new.

use std::collections::BTreeMap;

use super::{Event, Op, Position};

/// How far one topic partition was applied to the table; kept in the Delta log, next to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first offset that was not applied.
    pub next_offset: i64,
    /// Position of the last streamed event that was applied.
    pub position: Option<Position>,
    /// `source.ts_ms` of that event.
    pub source_ts_ms: i64,
    /// Kafka's timestamp of the message before `next_offset`, milliseconds since the epoch, if it has one. A topic that
    /// was deleted and created again has another message there, or none.
    pub message_ts_ms: Option<i64>,
    /// The snapshot of which rows were applied last.
    pub snapshot: Option<SnapshotId>,
}

/// One reading of the whole source: all rows of an initial snapshot carry the position at which it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// LSN of its rows.
    pub lsn: u64,
    /// `source.ts_ms` of its first row that was applied.
    pub source_ts_ms: i64,
}

impl SnapshotId {
    /// `None` for changes, and for rows of an incremental snapshot, which are read between changes and have no position.
    fn of(event: &Event) -> Option<Self> {
        let position = event.position.filter(|_| matches!(event.op, Op::Read { .. }))?;
        Some(Self { lsn: position.lsn, source_ts_ms: event.source_ts_ms })
    }

    /// A restored database starts over at lower positions; its clock does not.
    fn follows(&self, other: &Self) -> bool {
        self.lsn > other.lsn || self.source_ts_ms > other.source_ts_ms
    }
}

/// What an event means to a table that was applied so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the table already, or something newer is.
    Skip,
    /// The copy that the table began with contains it.
    Contained,
    /// It comes next.
    Apply,
    /// It comes next, and is the second half of a key change. If the first half did not come before it, because the copy contains
    /// that one, only the source has what it leaves out.
    ApplyAlone,
    /// It is the first row of another snapshot, which holds all rows there are: those that the table has go first.
    StartOver,
}

/// Progress of every partition of a table's topic.
pub type PartitionProgress = BTreeMap<i32, Progress>;

impl Progress {
    /// What to do with the event.
    ///
    /// Debezium delivers a suffix again after a restart of Connect: the same events under new offsets. They are told
    /// by a position *and* a commit time that are not newer than what was applied. Position alone is not enough: the
    /// log of a restored database starts over at lower positions, and what it says is new.
    ///
    /// Rows of a snapshot say nothing about the stream: a transaction that was open while the snapshot was taken
    /// carries lower positions, yet its changes are not in the snapshot. Debezium takes the initial snapshot again when
    /// it was stopped before it had stored that it was done. Rows that were deleted in between are in the first
    /// and not in the second one, and no delete says so; hence [`Verdict::StartOver`]. What a worker that lost its
    /// connector still sends of the first one is skipped.
    pub fn judge(&self, event: &Event) -> Verdict {
        if event.offset < self.next_offset {
            return Verdict::Skip;
        }
        if let Some(snapshot) = SnapshotId::of(event) {
            return match self.snapshot {
                Some(applied) if applied.lsn == snapshot.lsn => Verdict::Apply,
                Some(applied) if !snapshot.follows(&applied) => Verdict::Skip,
                _ => Verdict::StartOver,
            };
        }
        match (self.position, event.position) {
            (Some(applied), Some(position)) if position.commit_lsn != 0 => {
                let is_new = position >= applied || event.source_ts_ms > self.source_ts_ms;
                if is_new { Verdict::Apply } else { Verdict::Skip }
            }
            _ => Verdict::Apply,
        }
    }

    /// Takes note of an event that is not skipped.
    pub fn advance(&mut self, event: &Event) {
        (self.next_offset, self.message_ts_ms) = (event.offset + 1, event.message_ts_ms);
        if let Some(snapshot) = SnapshotId::of(event) {
            self.position = None;
            if self.snapshot.is_none_or(|applied| applied.lsn != snapshot.lsn) {
                self.snapshot = Some(snapshot);
            }
        } else if matches!(event.op, Op::Read { .. }) {
            // Read between changes: the stream stands where it stood.
        } else if event.position.is_some() {
            self.position = event.position;
            self.source_ts_ms = event.source_ts_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(offset: i64, op: Op, lsn: u64, ts: i64) -> Event {
        let position = Some(Position { commit_lsn: lsn / 10 * 10, lsn });
        Event {
            offset,
            op,
            position,
            source_ts_ms: ts,
            message_ts_ms: Some(ts + 1),
            transaction: None,
            moves_key: false,
            moved_key: false,
        }
    }

    fn after(events: &[Event]) -> Progress {
        let mut progress = Progress::default();
        for event in events {
            progress.advance(event);
        }
        progress
    }

    #[test]
    fn a_replayed_suffix_is_refused_and_what_follows_is_accepted() {
        let applied = [event(5, Op::Create, 21, 100), event(6, Op::Update, 35, 110)];
        let progress = after(&applied);
        assert_eq!(progress.judge(&event(6, Op::Update, 35, 110)), Verdict::Skip, "the same offset");
        assert_eq!(progress.judge(&event(7, Op::Create, 21, 100)), Verdict::Skip, "the same event under a new offset");
        assert_eq!(
            progress.judge(&event(8, Op::Update, 35, 110)),
            Verdict::Apply,
            "rows of one statement share a position"
        );
        assert_eq!(progress.judge(&event(9, Op::Update, 41, 120)), Verdict::Apply);
    }

    #[test]
    fn a_restored_database_starts_over_at_lower_positions() {
        let progress = after(&[event(5, Op::Create, 900, 100)]);
        let restored = event(6, Op::Create, 31, 101);
        assert_eq!(progress.judge(&restored), Verdict::Apply);
        assert_eq!(after(&[event(5, Op::Create, 900, 100), restored]).position, restored.position);
    }

    #[test]
    fn a_transaction_open_during_the_snapshot_is_applied_after_it() {
        let progress = after(&[event(0, Op::Read { last: true }, 100, 500)]);
        assert_eq!(progress.judge(&event(1, Op::Update, 90, 400)), Verdict::Apply);
    }

    #[test]
    fn an_incremental_snapshot_leaves_the_position_of_the_stream() {
        let streamed = event(5, Op::Create, 900, 100);
        let row = Event { position: None, ..event(6, Op::Read { last: false }, 0, 200) };
        let progress = after(&[streamed, row]);
        assert_eq!(progress.position, streamed.position);
        assert_eq!((progress.next_offset, progress.message_ts_ms), (7, Some(201)));
    }

    const READ: Op = Op::Read { last: false };

    #[test]
    fn the_first_row_of_a_snapshot_starts_over_and_the_others_follow_it() {
        let none = Progress::default();
        let first = event(0, READ, 100, 500);
        assert_eq!(none.judge(&first), Verdict::StartOver);
        let progress = after(&[first]);
        assert_eq!(progress.judge(&event(1, READ, 100, 500)), Verdict::Apply);
        let read_by_another_thread = event(1, READ, 100, 501);
        assert_eq!(progress.judge(&read_by_another_thread), Verdict::Apply);
        let changed = after(&[first, event(1, Op::Update, 120, 600)]);
        let second = event(2, READ, 130, 700);
        assert_eq!(changed.judge(&second), Verdict::StartOver);
        assert_eq!(after(&[first, second]).judge(&event(3, READ, 130, 700)), Verdict::Apply);
    }

    #[test]
    fn the_snapshot_of_a_restored_database_starts_over_although_its_position_is_lower() {
        let progress = after(&[event(0, READ, 900, 500)]);
        assert_eq!(progress.judge(&event(1, READ, 30, 600)), Verdict::StartOver);
    }

    #[test]
    fn a_late_row_of_an_earlier_snapshot_is_skipped() {
        let progress = after(&[event(0, READ, 100, 500), event(1, READ, 130, 700)]);
        assert_eq!(progress.judge(&event(2, READ, 100, 500)), Verdict::Skip);
    }

    #[test]
    fn rows_of_an_incremental_snapshot_never_start_over() {
        let row = |offset| Event { position: None, ..event(offset, READ, 0, 900) };
        assert_eq!(Progress::default().judge(&row(0)), Verdict::Apply);
        let progress = after(&[event(0, READ, 100, 500), row(1)]);
        assert_eq!(progress.judge(&row(2)), Verdict::Apply);
        assert_eq!(progress.judge(&event(3, READ, 100, 500)), Verdict::Apply, "the snapshot is known still");
    }
}
