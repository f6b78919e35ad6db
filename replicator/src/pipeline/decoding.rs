//! The first half of a table's pipeline: decodes batches while the other half commits.

use arrow_array::RecordBatch;
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::buffer::LastMessage;
use crate::consume::{ConsumeError, Delivery, Held, PartitionRange, RawBatch};
use crate::decode::{Decoded, Decoder};
use crate::report::{TableHandle, describe};

/// What the decoding hands on, in the order of the topic.
pub(super) enum Step {
    /// Reading starts or goes on.
    Assigned(Vec<PartitionRange>),
    /// Events of one partition and the memory they hold.
    Decoded { partition: i32, decoded: Decoded, last: Option<LastMessage>, held: Held },
    /// The topic cannot be read on.
    Failed(ConsumeError),
}

/// Decodes what is delivered until the receiver is dropped or the topic fails. What is decoded ahead of a running commit
/// is bounded by the table's share of the budget, like the messages themselves.
pub(super) fn start(
    mut deliveries: mpsc::UnboundedReceiver<Delivery>,
    mut decoder: Decoder,
    report: TableHandle,
) -> mpsc::UnboundedReceiver<Step> {
    let (sender, steps) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.recv().await {
            let step = match delivery {
                Delivery::Waiting(what) => {
                    report.waiting(&what);
                    continue;
                }
                Delivery::Assigned(ranges) => Step::Assigned(ranges),
                Delivery::Failed(error) => Step::Failed(error),
                Delivery::Batch(raw) => {
                    report.received(raw.messages.len() as u64, raw.bytes.len() as u64);
                    tokio::select! {
                    step = decode(&mut decoder, raw, &report) => step,
                        () = sender.closed() => return,
                    }
                }
            };
            if sender.send(step).is_err() {
                return;
            }
        }
    });
    steps
}

/// Decodes one batch, for as long as the registry keeps us waiting.
async fn decode(decoder: &mut Decoder, raw: RawBatch, report: &TableHandle) -> Step {
    let mut backoff = Backoff::new();
    let events = loop {
        match decoder.decode(&raw).await {
            Ok(events) => break events,
            Err(error) => {
                report.retrying(&describe(&error));
                tokio::time::sleep(backoff.next()).await;
            }
        }
    };
    let bytes = events.changes.iter().map(|batch| size(&batch.rows) + size_of_val(batch.events.as_slice())).sum();
    let last = raw.before(events.next_offset).map(|message| LastMessage { timestamp_ms: message.timestamp_ms });
    let RawBatch { partition, mut held, .. } = raw;
    held.resize(bytes);
    Step::Decoded { partition, decoded: events, last, held }
}

fn size(rows: &RecordBatch) -> usize {
    rows.get_array_memory_size()
}
