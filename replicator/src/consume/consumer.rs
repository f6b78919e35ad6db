//! The handle to the one Kafka consumer of this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::client::Sizes;
use super::context::Context;
use super::ends::Ends;
use super::lookup::{Finder, Lookup, Wanted};
use super::reader::{Command, Reader};
use super::sink::Sink;
use super::{Budget, ConsumeError, KafkaClient, PartitionRange, RawBatch, Resume, Share};

/// How long [`Consumer::stop`] waits for librdkafka.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads topics and delivers their messages. Cheap to clone; reading ends when the last clone is dropped.
#[derive(Clone)]
pub struct Consumer {
    threads: Arc<Threads>,
    ends: Arc<Ends>,
    budget: Budget,
}

/// What the two threads are reached by.
struct Threads {
    reader: Sender<Command>,
    lookups: Sender<Lookup>,
    /// Closed when both threads have ended.
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
    /// Cancelled when one of them has.
    incomplete: CancellationToken,
}

impl Drop for Threads {
    fn drop(&mut self) {
        let _ = self.reader.send(Command::Stop);
    }
}

/// What a table's task reads from.
pub struct Subscription {
    /// Never blocks the sender: what lies here is bounded by the budget. Dropping it ends the reading of the topic.
    pub deliveries: mpsc::UnboundedReceiver<Delivery>,
    /// The table's part of the budget.
    pub share: Share,
}

/// What happens to a topic that is read.
#[derive(Debug)]
pub enum Delivery {
    /// Nothing comes now; what is waited for, in words. It goes on by itself.
    Waiting(String),
    /// There is no such topic, in words, and was none when this tick came; said at each look for it.
    NoTopic(String, Option<Tick>),
    /// Reading goes on, or starts, at these offsets.
    Assigned(Vec<PartitionRange>),
    /// Messages, in the order of their offsets in each partition.
    Batch(RawBatch),
    /// This topic cannot be read on; nothing comes after this.
    Failed(ConsumeError),
}

/// What was written into the source's log to be read there: where it comes out of the connector, every change before it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Where it is in the log.
    pub lsn: u64,
    /// When it was committed, by the source's clock, milliseconds since the epoch.
    pub ts_ms: i64,
}

impl Consumer {
    /// Starts the consumer; that brokers are unreachable is said by the deliveries.
    pub fn start(client: &KafkaClient, budget: Budget) -> Result<Self, ConsumeError> {
        let sizes = Sizes::of(budget.limit());
        let consumer: BaseConsumer<Context> = client
            .consumer(&sizes)
            .create_with_context(Context::default())
            .map_err(|error| ConsumeError::settings(&error))?;
        let consumer = Arc::new(consumer);
        let client_of_lookups = client.lookups().create().map_err(|error| ConsumeError::settings(&error))?;
        let ends = Arc::new(Ends::default());
        let (reader, commands) = channel();
        let (lookups, questions) = channel();
        let (running, ended) = mpsc::channel(1);
        let incomplete = CancellationToken::new();
        let running = Running { _both: running, incomplete: incomplete.clone() };
        let finder = Finder {
            client: client_of_lookups,
            consumer: Arc::clone(&consumer),
            bootstrap_servers: client.bootstrap_servers.clone(),
            questions,
            reader: reader.clone(),
            ends: Arc::clone(&ends),
            tick: None,
        };
        spawn("kafka-lookup", running.clone(), move || finder.run())?;
        let state = Reader::new(consumer, (budget.clone(), sizes), commands, lookups.clone(), Arc::clone(&ends));
        spawn("kafka-reader", running, move || state.run())?;
        let threads = Arc::new(Threads { reader, lookups, ended: tokio::sync::Mutex::new(ended), incomplete });
        Ok(Self { threads, ends, budget })
    }

    /// Reads `topic`, each partition from where it is to go on; one that is not in `resume` is read from its beginning.
    /// A second subscription of a topic replaces the first.
    pub fn subscribe(&self, topic: &str, resume: HashMap<i32, Resume>) -> Subscription {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let share = self.budget.share();
        self.find(topic, resume, Sink::changes(sender, share.clone()));
        Subscription { deliveries, share }
    }

    /// Reads `topic` from its last message on. The budget does not count what is read, and does not bound it.
    pub fn subscribe_to_last(&self, topic: &str) -> Subscription {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let sink = Sink::last(sender);
        let share = sink.share.clone();
        self.find(topic, HashMap::new(), sink);
        Subscription { deliveries, share }
    }

    /// Finds where the topics end, now that `tick` was read: from then on [`Self::end_offset`] counts what the connector wrote
    /// before it. False: Kafka could not be asked.
    pub async fn confirm(&self, tick: Tick) -> bool {
        let (confirmed, answer) = oneshot::channel();
        // By way of the reader: it knows of each topic that was found before this.
        let _ = self.threads.reader.send(Command::Confirm { tick, confirmed });
        answer.await.is_ok()
    }

    fn find(&self, topic: &str, resume: HashMap<i32, Resume>, sink: Sink) {
        // The thread is there as long as `self`.
        let _ = self.threads.lookups.send(Lookup::Find(Wanted { topic: topic.into(), resume, sink }));
    }

    /// Commits offsets (partition → next offset) to the Kafka group, for lag tools only: returns at once, and that it
    /// fails is logged once.
    pub fn commit_group_offsets(&self, topic: &str, offsets: HashMap<i32, i64>) {
        let _ = self.threads.reader.send(Command::Commit { topic: topic.into(), offsets });
    }

    /// The offset after the last message of a partition that is read, as of about a second ago.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.ends.get(topic, partition)
    }

    /// Where the partitions of a topic end now, by partition; one that does not exist yet will have a partition 0 that begins at 0.
    /// The error says what keeps Kafka from answering, in words.
    pub async fn find_ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
        let (reply, answer) = oneshot::channel();
        let _ = self.threads.lookups.send(Lookup::Ends { topic: topic.into(), reply });
        answer.await.unwrap_or_else(|_| Err("the Kafka client has ended".to_owned()))
    }

    /// Waits until a thread of the consumer ends, in whatever way: nothing is read any more then.
    pub async fn ended(&self) {
        self.threads.incomplete.cancelled().await;
    }

    /// Stops reading, lets commits of offsets finish and closes the connections.
    pub async fn stop(self) {
        let _ = self.threads.reader.send(Command::Stop);
        let mut ended = self.threads.ended.lock().await;
        if tokio::time::timeout(STOP_TIMEOUT, ended.recv()).await.is_err() {
            warn!("the Kafka client does not stop within {STOP_TIMEOUT:?}; leaving it behind");
        }
    }
}

/// Held by each thread. Dropped only when the thread has ended, also by a panic: whoever waits for the end must not find
/// librdkafka still at work.
#[derive(Clone)]
struct Running {
    _both: mpsc::Sender<()>,
    incomplete: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.incomplete.cancel();
    }
}

fn spawn(name: &str, running: Running, run: impl FnOnce() + Send + 'static) -> Result<(), ConsumeError> {
    let thread = std::thread::Builder::new().name(name.into());
    let spawned = thread.spawn(move || {
        let _running = running;
        run();
    });
    spawned.map(drop).map_err(|error| ConsumeError::Thread(Arc::new(error)))
}
