//! librdkafka → raw messages per topic; pauses when memory is short.

mod budget;
mod raw;

pub use budget::{Budget, Held};
pub use raw::{RawBatch, RawMessage};
