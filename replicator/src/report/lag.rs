//! How far a table is behind its source. Pure: time comes in.

use jiff::Timestamp;

use crate::consume::Tick;

/// How far a table is, and how far its source is.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Source time up to which the table is complete, milliseconds since the epoch.
    complete_until_ms: Option<i64>,
    /// How far the table is in the source's log.
    reached: Option<u64>,
    /// The last tick that said so.
    tick: Option<Tick>,
    /// The last change that said so.
    position: Option<u64>,
    /// How far the source's log is.
    source: Option<u64>,
}

impl Lag {
    /// The table has all that was committed at the source until `ts_ms`.
    pub(super) fn complete_until(&mut self, ts_ms: Option<i64>) {
        self.complete_until_ms = self.complete_until_ms.max(ts_ms);
    }

    /// The table has everything before the tick. A connector that starts again may send some ticks again.
    pub(super) fn tick(&mut self, tick: Tick) {
        self.complete_until(Some(tick.ts_ms));
        if self.tick.is_none_or(|last| last.ts_ms < tick.ts_ms) {
            self.tick = Some(tick);
            self.reached = Some(tick.lsn);
        }
    }

    /// The last change that the table has is at `position`. One from before the source was replaced is told again, and says nothing of
    /// the log that is there now.
    pub(super) fn applied(&mut self, position: Option<u64>) {
        if self.position != position {
            self.position = position;
            self.reached = self.reached.max(position);
        }
    }

    /// How far the source's log is; `None` while it cannot be looked at.
    pub(super) fn source_at(&mut self, lsn: Option<u64>) {
        self.source = lsn;
    }

    /// The table is not complete until any time.
    pub(super) fn forget(&mut self) {
        (self.complete_until_ms, self.reached, self.source) = (None, None, None);
    }

    /// Seconds since the moment up to which the table is complete.
    pub(super) fn seconds(&self, now: Timestamp) -> Option<f64> {
        self.complete_until_ms.map(|until| (now.as_millisecond() - until).max(0) as f64 / 1000.0)
    }

    /// Bytes of the source's log that the table has not; not known before the time is.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.complete_until_ms?;
        Some(self.source?.saturating_sub(self.reached?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick of this second; the log grows by a byte a millisecond.
    fn tick(second: i64) -> Tick {
        Tick { lsn: (second * 1000).cast_unsigned(), ts_ms: second * 1000 }
    }

    #[test]
    fn the_bytes_are_what_the_log_has_and_the_table_has_not() {
        let mut lag = Lag::default();
        lag.applied(Some(7_000));
        lag.source_at(Some(10_000));
        assert_eq!(lag.bytes(), None, "nothing says how far the table is complete");
        lag.tick(tick(8));
        assert_eq!(lag.bytes(), Some(2_000));
        lag.applied(Some(9_000));
        lag.tick(tick(8));
        assert_eq!(lag.bytes(), Some(1_000), "a later change is applied");
        lag.tick(tick(12));
        assert_eq!(lag.bytes(), Some(0), "the look is older");
        lag.source_at(None);
        assert_eq!(lag.bytes(), None);
    }

    #[test]
    fn a_tick_that_comes_again_takes_nothing_back() {
        let mut lag = Lag::default();
        lag.source_at(Some(13_000));
        lag.tick(tick(12));
        lag.tick(tick(10));
        let now = Timestamp::from_second(13).unwrap();
        assert_eq!((lag.bytes(), lag.seconds(now)), (Some(1_000), Some(1.0)));
    }

    #[test]
    fn a_source_that_was_replaced_is_measured_by_its_own_log() {
        let mut lag = Lag::default();
        lag.applied(Some(900_000));
        lag.forget();
        lag.applied(Some(900_000));
        lag.source_at(Some(6_000));
        lag.tick(tick(5));
        assert_eq!(lag.bytes(), Some(1_000));
    }
}
