//! Messages of a topic as the decoder hands them on.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::BooleanBuffer;
use arrow_schema::Schema;
use tributary_replicator::change::{ChangeBatch, Event, Op, RowSchema};

use crate::shape::Shape;
use crate::topic::Message;

/// The messages as batches of one schema each; `first` is the offset of the first one. A truncate that is alone has the
/// schema of a message without a key.
pub(crate) fn batches(shape: &Shape, messages: &[Message], first: usize) -> Vec<ChangeBatch> {
    let mut offset = first;
    let runs = messages.chunk_by(|left, right| left.width == right.width);
    let batch = |run: &[Message]| {
        offset += run.len();
        batch(shape, run, offset - run.len())
    };
    runs.map(batch).collect()
}

fn batch(shape: &Shape, messages: &[Message], first: usize) -> ChangeBatch {
    let schema = if messages.iter().all(|message| message.op == Op::Truncate) {
        RowSchema { arrow: Arc::new(Schema::empty()), key: vec![], warnings: vec![] }
    } else {
        shape.source(messages[0].width)
    };
    let width = schema.arrow.fields().len();
    let sent: Vec<_> = messages.iter().map(Message::sent).collect();
    let arrays = (0..width).map(|column| shape.columns[column].kind.array(sent.iter().map(|row| &row[column])));
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(messages.len()));
    let rows = RecordBatch::try_new_with_options(Arc::clone(&schema.arrow), arrays.collect(), &options).unwrap();
    let events = messages.iter().enumerate().map(|(at, message)| event(message, first + at)).collect();
    let unchanged = (0..width).map(|column| unchanged(messages, column)).collect();
    ChangeBatch { schema: Arc::new(schema), rows, events, unchanged }
}

fn event(message: &Message, offset: usize) -> Event {
    Event {
        offset: offset as i64,
        op: message.op,
        position: message.position,
        source_ts_ms: message.source_ts_ms,
        transaction: None,
        moves_key: message.moves_key,
        moved_key: message.moved_key,
        message_ts_ms: Some(1_000_000 + offset as i64),
    }
}

fn unchanged(messages: &[Message], column: usize) -> Option<BooleanBuffer> {
    let set: BooleanBuffer = messages.iter().map(|message| message.unchanged.contains(&column)).collect();
    (set.count_set_bits() > 0).then_some(set)
}
