//! How fast rows of the source are read, over all tables of this process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The part of a second in which a batch is read, at the rate that is allowed: so much is read at once.
const BATCHES_PER_SECOND: u64 = 8;

/// Bounds the bytes that are read in a second, if it is asked to.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: Option<u64>,
    /// When what was read is worked off.
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// `None`: as fast as it goes.
    pub(super) fn new(per_second: Option<u64>) -> Self {
        Self { per_second: per_second.map(|bytes| bytes.max(1)), free_at: Mutex::default() }
    }

    /// Bytes that may be read in a second.
    pub(super) fn per_second(&self) -> Option<u64> {
        self.per_second
    }

    /// Bytes of a batch, of at most `most`.
    pub(super) fn batch(&self, most: usize) -> usize {
        let batch = self.per_second.map(|bytes| bytes / BATCHES_PER_SECOND);
        batch.and_then(|bytes| usize::try_from(bytes).ok()).map_or(most, |bytes| bytes.min(most))
    }

    /// Waits until more may be read. When that was, for [`Pace::read`].
    pub(super) async fn turn(&self) -> Instant {
        loop {
            let (free_at, now) = (*self.lock(), Instant::now());
            match free_at {
                Some(free_at) if free_at > now => tokio::time::sleep_until(free_at).await,
                _ => return now,
            }
        }
    }

    /// So many bytes were read since `began`.
    pub(super) fn read(&self, began: Instant, bytes: u64) {
        let Some(per_second) = self.per_second else { return };
        let mut free_at = self.lock();
        *free_at = Some(after(*free_at, began, bytes, per_second));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // A panic elsewhere leaves a time that is right.
        self.free_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When `bytes` that were read from `began` on are worked off, after what was read before them. Time in which nothing was read is
/// not made up for.
fn after(free_at: Option<Instant>, began: Instant, bytes: u64, per_second: u64) -> Instant {
    free_at.map_or(began, |free_at| free_at.max(began)) + Duration::from_secs_f64(bytes as f64 / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_read_is_worked_off_at_the_rate_however_many_read_at_a_time() {
        let start = Instant::now();
        let one = after(None, start, 300, 100);
        assert_eq!(one, start + seconds(3));
        assert_eq!(after(Some(one), start, 200, 100), start + seconds(5), "another one that read beside it");
        assert_eq!(after(Some(one), one, 100, 100), start + seconds(4), "one that waited for its turn");
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let start = Instant::now();
        let one = after(None, start, 100, 100);
        assert_eq!(after(Some(one), start + seconds(60), 100, 100), start + seconds(61));
    }

    #[test]
    fn batches_are_small_where_the_rate_is() {
        assert_eq!(Pace::new(Some(64 << 10)).batch(4 << 20), 8 << 10);
        assert_eq!(Pace::new(Some(1 << 30)).batch(4 << 20), 4 << 20);
        assert_eq!(Pace::new(None).batch(4 << 20), 4 << 20);
    }
}
