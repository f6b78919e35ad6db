//! librdkafka → raw messages per topic; pauses when memory is short.

mod admission;
mod batching;
mod budget;
mod client;
mod consumer;
mod context;
mod ends;
mod error;
mod lookup;
mod outage;
mod probe;
mod raw;
mod reader;
mod sink;
mod start;
mod tables;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Held, Share};
pub use client::KafkaClient;
pub use consumer::{Consumer, Delivery, Subscription, Tick};
pub use error::ConsumeError;
pub use probe::{Probe, Sample};
pub use raw::{RawBatch, RawMessage};
pub use start::{PartitionRange, Resume};
