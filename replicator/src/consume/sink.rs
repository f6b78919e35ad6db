//! Where a topic's messages go: to the task of a table, or to whoever wants to know the last heartbeat.

use tokio::sync::{mpsc, watch};

use super::{Budget, ConsumeError, Delivery, Heartbeat, PartitionRange, Share};

/// Where a topic's messages go.
pub(super) enum Sink {
    /// To the task of a table.
    Table { deliveries: mpsc::UnboundedSender<Delivery>, share: Share },
    /// Only their time counts.
    Heartbeats(watch::Sender<Option<Heartbeat>>),
}

impl Sink {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Table { deliveries, .. } => deliveries.is_closed(),
            Self::Heartbeats(last) => last.is_closed(),
        }
    }

    pub(super) fn share(&self) -> Share {
        match self {
            Self::Table { share, .. } => share.clone(),
            Self::Heartbeats(_) => Budget::new(0).share(),
        }
    }

    pub(super) fn waiting(&self, words: &str) {
        self.send(|| Delivery::Waiting(words.to_owned()));
    }

    pub(super) fn no_topic(&self, words: &str, heartbeat: Option<Heartbeat>) {
        self.send(|| Delivery::NoTopic(words.to_owned(), heartbeat));
    }

    pub(super) fn assigned(&self, ranges: Vec<PartitionRange>) {
        self.send(|| Delivery::Assigned(ranges));
    }

    pub(super) fn failed(&self, error: ConsumeError) {
        self.send(|| Delivery::Failed(error));
    }

    // That the receiver is gone is noticed by `is_closed`.
    fn send(&self, delivery: impl FnOnce() -> Delivery) {
        if let Self::Table { deliveries, .. } = self {
            let _ = deliveries.send(delivery());
        }
    }
}
