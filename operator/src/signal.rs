//! What the operator itself does in Kafka: asking the connector for snapshots, and removing topics.

mod client;
mod error;
mod result;
mod snapshot;
mod topics;

pub use client::Kafka;
pub use error::SignalError;
pub use result::{SnapshotResult, SnapshotWatch};
pub use snapshot::execute_snapshot;
pub use topics::{delete_topics, owned_topics};
