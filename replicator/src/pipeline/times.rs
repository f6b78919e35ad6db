//! When buffered events happened at the source.

use crate::change::{Event, Op};

/// When buffered events happened at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// `source.ts_ms` of the oldest change that is no row of a snapshot.
    pub oldest_change_ms: Option<i64>,
    /// Kafka's time of the oldest of these changes.
    pub oldest_message_ms: Option<i64>,
    /// `source.ts_ms` of the newest event that says how far the stream is.
    pub newest_ms: Option<i64>,
    /// The last row of a snapshot, or a change after it, is among the events.
    pub snapshot_completed: bool,
}

impl Times {
    pub(super) fn note(&mut self, event: &Event) {
        let at = event.source_ts_ms;
        let is_read = matches!(event.op, Op::Read { .. });
        // A row of an incremental snapshot is new whenever it is read, however far behind the stream is.
        if !is_read || event.position.is_some() {
            self.newest_ms = self.newest_ms.max(Some(at));
        }
        if !is_read {
            self.oldest_change_ms = Some(self.oldest_change_ms.map_or(at, |oldest| oldest.min(at)));
            self.oldest_message_ms = self.oldest_message_ms.into_iter().chain(event.message_ts_ms).min();
        }
        self.snapshot_completed |= !matches!(event.op, Op::Read { last: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Position;

    #[test]
    fn rows_of_an_incremental_snapshot_say_nothing_of_how_far_the_stream_is() {
        let change = Event {
            offset: 1,
            op: Op::Update,
            position: Some(Position::default()),
            source_ts_ms: 50,
            message_ts_ms: Some(60),
            transaction: None,
            moves_key: false,
            moved_key: false,
        };
        let mut times = Times::default();
        times.note(&change);
        times.note(&Event { op: Op::Read { last: false }, position: None, source_ts_ms: 900, ..change });
        times.note(&Event { message_ts_ms: Some(61), ..change });
        assert_eq!((times.oldest_change_ms, times.newest_ms), (Some(50), Some(50)));
        assert_eq!(times.oldest_message_ms, Some(60));
    }
}
