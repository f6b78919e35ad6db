//! Messages as they came from Kafka, packed so that a message costs no allocation of its own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Held;

/// Consecutive messages of one topic partition, in offset order; keys and values lie in one buffer.
pub struct RawBatch {
    /// Topic the messages came from.
    pub topic: Arc<str>,
    /// Partition the messages came from.
    pub partition: i32,
    /// One entry per message, in offset order.
    pub messages: Vec<RawMessage>,
    /// What the connector wrote for values that did not change, if it says so: else Debezium's own placeholder.
    pub placeholder: Option<Arc<str>>,
    /// Keys and values, back to back.
    pub bytes: Vec<u8>,
    /// The memory this batch holds of the process's budget; given back when dropped.
    pub held: Held,
}

/// Where one message lies in [`RawBatch::bytes`].
#[derive(Debug)]
pub struct RawMessage {
    /// Kafka offset.
    pub offset: i64,
    /// Kafka timestamp in milliseconds since the epoch, if the message has one.
    pub timestamp_ms: Option<i64>,
    /// The key, if the message has one.
    pub key: Option<Range<usize>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Range<usize>>,
    /// The header `__debezium.newkey` is present: this delete is the first half of a key change, and the create of
    /// the new key follows in the same partition.
    pub moves_key: bool,
    /// The header `__debezium.oldkey` is present: this create is the second half of a key change.
    pub moved_key: bool,
}

impl fmt::Debug for RawBatch {
    /// Without keys and values: they never get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawBatch({}/{}, {} messages)", self.topic, self.partition, self.messages.len())
    }
}

impl RawBatch {
    /// The key bytes of message `index`.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        let range = self.messages.get(index)?.key.clone()?;
        self.bytes.get(range)
    }

    /// The value bytes of message `index`; `None` is a tombstone.
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        let range = self.messages.get(index)?.value.clone()?;
        self.bytes.get(range)
    }

    /// The offset after the last message; `None` when the batch is empty.
    pub fn next_offset(&self) -> Option<i64> {
        self.messages.last().map(|message| message.offset + 1)
    }

    /// The last message before an offset.
    pub fn before(&self, offset: i64) -> Option<&RawMessage> {
        self.messages.iter().rev().find(|message| message.offset < offset)
    }
}
