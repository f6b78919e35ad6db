//! Decoded events, column by column: what `decode` hands to `change`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;

use super::Position;

/// Events of one topic partition that share one schema, in offset order.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// The columns of the source table.
    pub schema: Arc<RowSchema>,
    /// One row per event, in the columns of `schema.arrow`: the new row of a read, create or update; the key columns
    /// and nulls of a delete; nulls of a truncate.
    pub rows: RecordBatch,
    /// One entry per row.
    pub events: Vec<Event>,
    /// One entry per column: where it is `Some`, a set bit says that the event carries Debezium's placeholder for an
    /// unchanged TOAST value and the row holds null in its place.
    pub unchanged: Vec<Option<BooleanBuffer>>,
}

/// The columns of a source table as Delta holds them.
#[derive(Debug, PartialEq, Eq)]
pub struct RowSchema {
    /// Delta's types; every field nullable.
    pub arrow: SchemaRef,
    /// Indices of the key columns in `arrow`, in key order; empty for a table without a key.
    pub key: Vec<usize>,
    /// What a person should know about these columns, in whole sentences (for instance that NULL becomes the default
    /// of a column); shown in `/tables`.
    pub warnings: Vec<String>,
}

/// One event without its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Kafka offset.
    pub offset: i64,
    /// What happened.
    pub op: Op,
    /// Position in the source; `None` for rows of an incremental snapshot, which have none of their own.
    pub position: Option<Position>,
    /// The transaction of the source, the lower 32 bits of its id.
    pub transaction: Option<u32>,
    /// `source.ts_ms`: commit time at the source, milliseconds since the epoch (for snapshot rows the time of reading).
    pub source_ts_ms: i64,
    /// Kafka's timestamp of the message, milliseconds since the epoch, if it has one.
    pub message_ts_ms: Option<i64>,
    /// This delete is the first half of a key change; the create that follows may carry TOAST placeholders for values
    /// of this row.
    pub moves_key: bool,
    /// This create is the second half of a key change: what it leaves out is a value of the row that the first half
    /// removed.
    pub moved_key: bool,
}

/// Debezium's `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `r`: a row of a snapshot; `last` when it is the last one of its table or of the whole initial snapshot.
    Read {
        /// `source.snapshot` is `last` or `last_in_data_collection`.
        last: bool,
    },
    /// `c`
    Create,
    /// `u`
    Update,
    /// `d`
    Delete,
    /// `t`
    Truncate,
}
