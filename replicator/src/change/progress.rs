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
}

/// Progress of every partition of a table's topic.
pub type PartitionProgress = BTreeMap<i32, Progress>;

impl Progress {
    /// Whether the event must be applied.
    ///
    /// Debezium delivers a suffix again after a restart of Connect: the same events under new offsets. They are told
    /// by a position *and* a commit time that are not newer than what was applied. Position alone is not enough: the
    /// log of a restored database starts over at lower positions, and what it says is new.
    ///
    /// Rows of a snapshot are always applied, and they say nothing about the stream: a transaction that was open
    /// while the snapshot was taken carries lower positions, yet its changes are not in the snapshot.
    pub fn accepts(&self, event: &Event) -> bool {
        if event.offset < self.next_offset {
            return false;
        }
        if matches!(event.op, Op::Read { .. }) {
            return true;
        }
        match (self.position, event.position) {
            (Some(applied), Some(position)) if position.commit_lsn != 0 => {
                position >= applied || event.source_ts_ms > self.source_ts_ms
            }
            _ => true,
        }
    }

    /// Takes note of an event that was accepted.
    pub fn advance(&mut self, event: &Event) {
        self.next_offset = event.offset + 1;
        if matches!(event.op, Op::Read { .. }) {
            if event.position.is_some() {
                self.position = None;
            }
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
        Event { offset, op, position, source_ts_ms: ts, moves_key: false }
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
        assert!(!progress.accepts(&event(6, Op::Update, 35, 110)), "the same offset");
        assert!(!progress.accepts(&event(7, Op::Create, 21, 100)), "the same event under a new offset");
        assert!(progress.accepts(&event(8, Op::Update, 35, 110)), "rows of one statement share a position");
        assert!(progress.accepts(&event(9, Op::Update, 41, 120)));
    }

    #[test]
    fn a_restored_database_starts_over_at_lower_positions() {
        let progress = after(&[event(5, Op::Create, 900, 100)]);
        let restored = event(6, Op::Create, 31, 101);
        assert!(progress.accepts(&restored));
        assert_eq!(after(&[event(5, Op::Create, 900, 100), restored]).position, restored.position);
    }

    #[test]
    fn a_transaction_open_during_the_snapshot_is_applied_after_it() {
        let progress = after(&[event(0, Op::Read { last: true }, 100, 500)]);
        assert!(progress.accepts(&event(1, Op::Update, 90, 400)));
    }

    #[test]
    fn an_incremental_snapshot_leaves_the_position_of_the_stream() {
        let streamed = event(5, Op::Create, 900, 100);
        let row = Event { position: None, ..event(6, Op::Read { last: false }, 0, 200) };
        let progress = after(&[streamed, row]);
        assert_eq!(progress.position, streamed.position);
        assert_eq!(progress.next_offset, 7);
    }
}
