//! How long an object waits after a failure: longer each time, per object and kind of error, forgotten on success.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// First and longest wait of one kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The wait after the first failure; it doubles with each that follows.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Retry {
    /// Waits between `first` and `longest` seconds.
    pub const fn seconds(first: u64, longest: u64) -> Self {
        Self { first: Duration::from_secs(first), longest: Duration::from_secs(longest) }
    }

    /// The wait after `failures` failures in a row.
    fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).and_then(|factor| self.first.checked_mul(factor));
        doubled.unwrap_or(self.longest).min(self.longest)
    }
}

/// What has failed, and until when it waits.
#[derive(Debug)]
pub struct Backoff<K> {
    failures: HashMap<K, Failure>,
}

#[derive(Debug)]
struct Failure {
    reason: &'static str,
    /// What was tried: another generation is tried at once.
    generation: i64,
    count: u32,
    until: Timestamp,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self { failures: HashMap::new() }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// Notes a failure and returns the wait. Another reason than the last one starts from the beginning.
    pub fn failed(&mut self, key: K, reason: &'static str, generation: i64, retry: Retry, now: Timestamp) -> Duration {
        let failure =
            self.failures.entry(key).or_insert(Failure { reason, generation, count: 0, until: Timestamp::MIN });
        if failure.reason != reason || failure.generation != generation {
            *failure = Failure { reason, generation, count: 0, until: Timestamp::MIN };
        }
        failure.count = failure.count.saturating_add(1);
        let wait = retry.after(failure.count);
        failure.until =
            now.saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).unwrap_or(now);
        wait
    }

    /// Forgets the failures of an object.
    pub fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }

    /// How long the object still has to wait, if it has: events about it do not shorten a wait, a new generation does.
    pub fn waits(&self, key: &K, generation: i64, now: Timestamp) -> Option<Duration> {
        let failure = self.failures.get(key).filter(|failure| failure.generation == generation)?;
        Duration::try_from(failure.until.duration_since(now)).ok().filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry::seconds(2, 30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    #[test]
    fn each_failure_waits_twice_as_long_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..7).map(|_| backoff.failed("a", "Conflict", 1, RETRY, at(0)).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::default();
        for _ in 0..1_000 {
            backoff.failed("a", "Conflict", 1, RETRY, at(0));
        }
        assert_eq!(backoff.failed("a", "Conflict", 1, RETRY, at(0)).as_secs(), 30);
    }

    #[test]
    fn objects_reasons_and_generations_wait_for_themselves() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            backoff.failed("a", "Conflict", 1, RETRY, at(0));
        }
        assert_eq!(backoff.failed("b", "Conflict", 1, RETRY, at(0)).as_secs(), 2);
        assert_eq!(backoff.failed("a", "Forbidden", 1, RETRY, at(0)).as_secs(), 2);
        assert_eq!(backoff.failed("a", "Forbidden", 2, RETRY, at(0)).as_secs(), 2);
    }

    #[test]
    fn success_resets() {
        let mut backoff = Backoff::default();
        backoff.failed("a", "Conflict", 1, RETRY, at(0));
        backoff.succeeded(&"a");
        assert_eq!(backoff.waits(&"a", 1, at(0)), None);
        assert_eq!(backoff.failed("a", "Conflict", 1, RETRY, at(0)).as_secs(), 2);
    }

    #[test]
    fn events_do_not_shorten_a_wait_and_a_new_generation_does() {
        let mut backoff = Backoff::default();
        backoff.failed("a", "Conflict", 1, RETRY, at(0));
        assert_eq!(backoff.waits(&"a", 1, at(1)), Some(Duration::from_secs(1)));
        assert_eq!(backoff.waits(&"a", 1, at(2)), None);
        assert_eq!(backoff.waits(&"a", 2, at(1)), None);
    }
}
