//! Where a topic's messages go, and how much of the topic is read.

use tokio::sync::mpsc;

use super::{Budget, ConsumeError, Delivery, PartitionRange, RawBatch, Share, Tick};

/// Where a topic's messages go.
pub(super) struct Sink {
    deliveries: mpsc::UnboundedSender<Delivery>,
    pub(super) share: Share,
    pub(super) reads: Reads,
}

/// What is read of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// The changes of a table: every one, as the memory allows.
    Changes,
    /// What says how far others are: from the last message on, and never paused.
    Last,
}

impl Sink {
    /// The changes of a table.
    pub(super) fn changes(deliveries: mpsc::UnboundedSender<Delivery>, share: Share) -> Self {
        Self { deliveries, share, reads: Reads::Changes }
    }

    /// The last message, and those that come.
    pub(super) fn last(deliveries: mpsc::UnboundedSender<Delivery>) -> Self {
        Self { deliveries, share: Budget::new(0).share(), reads: Reads::Last }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.deliveries.is_closed()
    }

    pub(super) fn waiting(&self, words: &str) {
        self.send(Delivery::Waiting(words.to_owned()));
    }

    pub(super) fn no_topic(&self, words: &str, tick: Option<Tick>) {
        self.send(Delivery::NoTopic(words.to_owned(), tick));
    }

    pub(super) fn assigned(&self, ranges: Vec<PartitionRange>) {
        self.send(Delivery::Assigned(ranges));
    }

    pub(super) fn batch(&self, batch: RawBatch) {
        self.send(Delivery::Batch(batch));
    }

    pub(super) fn failed(&self, error: ConsumeError) {
        self.send(Delivery::Failed(error));
    }

    // That the receiver is gone is noticed by `is_closed`.
    fn send(&self, delivery: Delivery) {
        let _ = self.deliveries.send(delivery);
    }
}
