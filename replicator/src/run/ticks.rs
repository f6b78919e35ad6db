//! Follows the connector's ticks: how far it has read the source's log.

use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use crate::consume::{Consumer, Delivery, RawBatch, Tick};
use crate::decode::{RegistryClient, RegistryError, TickDecoder};
use crate::report::{Board, describe};
use crate::settings::EventFormat;

/// The pause before the topic is looked for again that could not be read on.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of the ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    /// The last one; the ends of the topics are not older.
    pub(super) last: Option<Tick>,
    /// There are none: the connector is somebody's own, which sends none.
    pub(super) absent: bool,
    /// Why they cannot be read.
    pub(super) unread: Option<String>,
}

/// What decodes ticks.
pub(super) fn decoder(format: &EventFormat) -> Result<TickDecoder, RegistryError> {
    Ok(match format {
        EventFormat::Json => TickDecoder::json(),
        EventFormat::Avro(registry) => TickDecoder::avro(RegistryClient::new(registry.clone())?),
    })
}

/// Follows the ticks in `topic` for as long as anybody wants to know of them.
pub(super) fn follow(consumer: Consumer, topic: String, decoder: TickDecoder, board: Board) -> watch::Receiver<Ticks> {
    let (ticks, known) = watch::channel(Ticks::default());
    tokio::spawn(async move {
        let unwanted = ticks.clone();
        tokio::select! {
            () = Follower { consumer, topic, decoder, board, ticks }.run() => {}
            () = unwanted.closed() => {}
        }
    });
    known
}

struct Follower {
    consumer: Consumer,
    topic: String,
    decoder: TickDecoder,
    board: Board,
    ticks: watch::Sender<Ticks>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let mut subscription = self.consumer.subscribe_to_last(&self.topic);
            while let Some(delivery) = subscription.deliveries.recv().await {
                if let Err(why) = self.take(delivery).await {
                    self.unread(&why);
                    break;
                }
            }
            // Begins with the last message again.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The error says, in words, why nothing can be read on.
    async fn take(&mut self, delivery: Delivery) -> Result<(), String> {
        match delivery {
            Delivery::NoTopic(..) => self.knows(|ticks| ticks.absent = true),
            // Whether there are ticks in it is not known before one is read.
            Delivery::Assigned(ranges) if ranges.iter().all(|range| range.next == range.end) => {
                self.knows(|ticks| ticks.absent = false);
            }
            Delivery::Assigned(_) => drop(self.ticks.send_if_modified(|ticks| std::mem::take(&mut ticks.absent))),
            Delivery::Waiting(why) => self.unread(&why),
            Delivery::Failed(error) => return Err(describe(&error)),
            Delivery::Batch(raw) => return self.read(&raw).await,
        }
        Ok(())
    }

    async fn read(&mut self, raw: &RawBatch) -> Result<(), String> {
        let Some(written) = self.decoder.last(raw).await.map_err(|error| describe(&error))? else {
            self.knows(|ticks| ticks.absent = true);
            return Ok(());
        };
        if let Some(at_ms) = written.at_ms {
            self.board.tick(written.tick, at_ms);
        }
        if !self.consumer.confirm(written.tick).await {
            return Err("Kafka does not say where the topics end".to_owned());
        }
        self.knows(|ticks| ticks.last = Some(written.tick));
        Ok(())
    }

    /// All is well with the topic, and this is known of it.
    fn knows(&self, what: impl FnOnce(&mut Ticks)) {
        self.ticks.send_modify(|ticks| {
            ticks.unread = None;
            what(ticks);
        });
    }

    fn unread(&self, why: &str) {
        let is_new = self.ticks.send_if_modified(|ticks| ticks.unread.replace(why.to_owned()).as_deref() != Some(why));
        if is_new {
            warn!("the connector's ticks cannot be read, so that no lag is known: {why}");
        }
    }
}

#[cfg(test)]
mod tests;
