//! One bound on the bytes that are buffered between Kafka and Delta, shared by all tables; each table has a share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

/// Counts buffered bytes against a limit. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: usize,
    all: Arc<All>,
}

#[derive(Debug, Default)]
struct All {
    used: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, all: Arc::default() }
    }

    /// Bytes that may be buffered.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are buffered now.
    pub fn used(&self) -> usize {
        self.all.used.load(Ordering::Relaxed)
    }

    /// Waits until `enough` says so of the bytes that are buffered; it is asked now, and whenever some are given back.
    pub async fn until(&self, enough: impl Fn(usize) -> bool) {
        loop {
            // Before the question: what is given back after it wakes this.
            let freed = self.all.freed.notified();
            if enough(self.used()) {
                return;
            }
            freed.await;
        }
    }

    /// The part of one more table.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), table: Arc::default() }
    }

    /// Takes `bytes` of the budget for nobody in particular.
    pub fn hold(&self, bytes: usize) -> Held {
        self.share().hold(bytes)
    }
}

/// What one table has of a [`Budget`]. Cheap to clone; all clones are the same table's.
#[derive(Clone, Debug)]
pub struct Share {
    budget: Budget,
    table: Arc<Table>,
}

#[derive(Debug, Default)]
struct Table {
    used: AtomicUsize,
    /// The part of `used` that a commit gives back: all but raw messages.
    decoded: AtomicUsize,
    pressed: watch::Sender<bool>,
}

impl Share {
    /// Takes `bytes` for raw messages, over the limit if need be: who reads asks first and pauses.
    pub fn hold(&self, bytes: usize) -> Held {
        let mut held = Held { share: self.clone(), bytes: 0, decoded: false };
        held.grow(bytes);
        held
    }

    /// Bytes that this table holds now.
    pub fn used(&self) -> usize {
        self.table.used.load(Ordering::Relaxed)
    }

    /// Bytes of decoded events that this table holds now: what a commit gives back.
    pub fn decoded(&self) -> usize {
        self.table.decoded.load(Ordering::Relaxed)
    }

    /// Memory is short and this table holds more decoded events than its part: it must commit now, whatever its commit interval says,
    /// or its partitions stay paused.
    pub fn pressed(&self) -> bool {
        *self.table.pressed.borrow()
    }

    /// Waits until [`Share::pressed`] is true.
    pub async fn until_pressed(&self) {
        // The sender lives as long as `self`, so waiting cannot end in any other way.
        let _ = self.table.pressed.subscribe().wait_for(|pressed| *pressed).await;
    }

    pub(super) fn press(&self, pressed: bool) {
        self.table.pressed.send_if_modified(|now| std::mem::replace(now, pressed) != pressed);
    }
}

/// Bytes taken of a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Held {
    share: Share,
    bytes: usize,
    decoded: bool,
}

impl Held {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Raw messages became Arrow columns of this size: from now on the bytes wait for a commit, and count as a reason
    /// for one.
    pub fn resize(&mut self, bytes: usize) {
        if !self.decoded {
            self.decoded = true;
            self.share.table.decoded.fetch_add(self.bytes, Ordering::Relaxed);
        }
        self.grow(bytes);
    }

    /// Changes what is held, without a change of what it is.
    pub(crate) fn grow(&mut self, bytes: usize) {
        let (all, table) = (&self.share.budget.all, &self.share.table);
        let decoded = self.decoded.then_some(&table.decoded);
        for counter in [&all.used, &table.used].into_iter().chain(decoded) {
            if bytes >= self.bytes {
                counter.fetch_add(bytes - self.bytes, Ordering::Relaxed);
            } else {
                counter.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            }
        }
        if bytes < self.bytes {
            all.freed.notify_waiters();
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.grow(0);
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

    #[test]
    fn a_share_counts_for_its_table_and_for_all() {
        let budget = Budget::new(100);
        let (users, orders) = (budget.share(), budget.share());
        let _users = users.hold(10);
        let orders_held = orders.clone().hold(20);
        assert_eq!((budget.used(), users.used(), orders.used()), (30, 10, 20));
        drop(orders_held);
        assert_eq!((budget.used(), users.used(), orders.used()), (10, 10, 0));
    }

    #[test]
    fn only_what_was_decoded_waits_for_a_commit() {
        let budget = Budget::new(100);
        let share = budget.share();
        let (mut first, raw) = (share.hold(60), share.hold(30));
        assert_eq!((share.used(), share.decoded()), (90, 0));
        first.resize(20);
        assert_eq!((budget.used(), share.used(), share.decoded()), (50, 50, 20));
        first.resize(25);
        assert_eq!((share.used(), share.decoded()), (55, 25));
        drop((first, raw));
        assert_eq!((budget.used(), share.used(), share.decoded()), (0, 0, 0));
    }

    #[tokio::test]
    async fn who_waits_for_room_is_asked_again_when_some_is_given_back() {
        let budget = Budget::new(100);
        let (first, second) = (budget.hold(60), budget.hold(30));
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.until(|used| used <= 50).await }
        });
        tokio::task::yield_now().await;
        drop(second);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "60 bytes are too many");
        drop(first);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_table_that_waits_for_pressure_wakes_when_it_comes() {
        let share = Budget::new(100).share();
        let waiting = tokio::spawn({
            let share = share.clone();
            async move { share.until_pressed().await }
        });
        assert!(!share.pressed());
        share.press(true);
        waiting.await.unwrap();
        assert!(share.pressed());
    }
}
