//! What the operator itself does in Kafka: removing the topics of a resource that goes.

mod client;
mod error;
mod topics;

pub use client::Kafka;
pub use error::KafkaError;
pub use topics::{delete_topics, owned_topics};
