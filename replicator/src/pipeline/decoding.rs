//! The first half of a table's pipeline: decodes batches while the other half commits.

use arrow_array::RecordBatch;
use tokio::sync::mpsc;

use super::PipelineError;
use super::backoff::Backoff;
use super::buffer::LastMessage;
use crate::consume::{Delivery, Held, PartitionRange, RawBatch};
use crate::decode::{Decoded, Decoder};
use crate::report::TableHandle;

/// What the decoding hands on, in the order of the topic.
pub(super) enum Step {
    /// Reading starts or goes on.
    Assigned(Vec<PartitionRange>),
    /// Events of one partition and the memory they hold.
    Decoded { partition: i32, decoded: Decoded, last: Option<LastMessage>, held: Held },
    /// The topic cannot be read on.
    Failed(PipelineError),
}

/// Decodes what is delivered until the receiver is dropped or the topic fails. What is decoded ahead of a running commit
/// is bounded by the table's share of the budget, like the messages themselves.
pub(super) fn start(
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    decoder: Decoder,
    report: TableHandle,
) -> mpsc::UnboundedReceiver<Step> {
    let (sender, steps) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        tokio::select! {
            () = decode_all(deliveries, decoder, report, &sender) => {}
            () = sender.closed() => {}
        }
    });
    steps
}

async fn decode_all(
    mut deliveries: mpsc::UnboundedReceiver<Delivery>,
    mut decoder: Decoder,
    report: TableHandle,
    steps: &mpsc::UnboundedSender<Step>,
) {
    while let Some(delivery) = deliveries.recv().await {
        let step = match delivery {
            Delivery::Waiting(what) => {
                report.waiting(&what);
                continue;
            }
            Delivery::NoTopic(what, tick) => {
                report.no_topic(&what, tick);
                continue;
            }
            Delivery::Assigned(ranges) => Step::Assigned(ranges),
            Delivery::Failed(error) => Step::Failed(error.into()),
            Delivery::Batch(raw) => {
                report.received(raw.messages.len() as u64, raw.bytes.len() as u64);
                decode(&mut decoder, raw, &report).await.unwrap_or_else(Step::Failed)
            }
        };
        // Nobody listens any more: then this ends as well.
        let _ = steps.send(step);
    }
}

/// Decodes one batch, for as long as the registry keeps us waiting.
async fn decode(decoder: &mut Decoder, raw: RawBatch, report: &TableHandle) -> Result<Step, PipelineError> {
    let mut backoff = Backoff::new();
    let mut tried = false;
    let events = loop {
        match decoder.decode(&raw).await {
            Ok(events) => break events,
            Err(error) => {
                let pause = backoff.after(error.into(), report)?;
                tried = true;
                tokio::time::sleep(pause).await;
            }
        }
    };
    if tried {
        report.goes_on();
    }
    let bytes = events.changes.iter().map(|batch| size(&batch.rows) + size_of_val(batch.events.as_slice())).sum();
    let last = raw.before(events.next_offset).map(|message| LastMessage { timestamp_ms: message.timestamp_ms });
    let RawBatch { partition, mut held, .. } = raw;
    held.resize(bytes);
    Ok(Step::Decoded { partition, decoded: events, last, held })
}

fn size(rows: &RecordBatch) -> usize {
    rows.get_array_memory_size()
}
