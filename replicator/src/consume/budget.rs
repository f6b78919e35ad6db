//! One bound on the bytes that are buffered between Kafka and Delta, shared by all tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts buffered bytes against a limit. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Bytes that may be buffered.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are buffered now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` of the budget, over the limit if need be: who reads asks [`Budget::used`] first and pauses.
    pub fn hold(&self, bytes: usize) -> Held {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Held { budget: self.clone(), bytes }
    }
}

/// Bytes taken of a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: usize,
}

impl Held {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes what is held, for instance when raw messages became smaller Arrow columns.
    pub fn resize(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Budget::new(100);
        let mut first = budget.hold(60);
        let second = budget.hold(30);
        first.resize(10);
        assert_eq!(budget.used(), 40);
        drop(second);
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!(budget.used(), 0);
    }
}
