//! The thread that polls librdkafka: routes messages, hands batches over, pauses partitions when memory is short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};

use super::admission::{Gate, Load};
use super::client::Sizes;
use super::context::Context;
use super::ends::Ends;
use super::lookup::{Lookup, Obstacle, Wanted};
use super::tables::{INSPECTION_INTERVAL, Table};
use super::{Budget, ConsumeError, Delivery, Heartbeat, PartitionRange, Share};

/// Messages polled before anything else is looked at.
const BURST: usize = 256;
/// How long a poll waits when nothing is due.
const IDLE: Duration = Duration::from_millis(50);
/// How often a paused or resting reader looks whether there is room again.
const RECHECK: Duration = Duration::from_millis(2);
/// Kafka has to say this often in a row that a topic is gone: a broker that has just started may not know it yet.
const MISSING_LIMIT: u32 = 3;
/// When to look again at a topic that had a problem.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// What the reader is told.
pub(super) enum Command {
    /// Read a topic.
    Assign { topic: Arc<str>, ranges: Vec<PartitionRange>, sink: Sink },
    /// What the lookup thread found about a topic that is being read.
    Inspected { topic: Arc<str>, outcome: Result<Vec<PartitionRange>, Obstacle> },
    /// Commit offsets to the group.
    Commit { topic: Arc<str>, offsets: HashMap<i32, i64> },
    /// End the thread.
    Stop,
}

/// Where a topic's messages go.
pub(super) enum Sink {
    /// To the task of a table.
    Table { deliveries: mpsc::UnboundedSender<Delivery>, share: Share },
    /// Only their time counts.
    Heartbeats(watch::Sender<Option<Heartbeat>>),
}

impl Sink {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Table { deliveries, .. } => deliveries.is_closed(),
            Self::Heartbeats(last) => last.is_closed(),
        }
    }

    pub(super) fn share(&self) -> Share {
        match self {
            Self::Table { share, .. } => share.clone(),
            Self::Heartbeats(_) => Budget::new(0).share(),
        }
    }

    pub(super) fn waiting(&self, words: &str) {
        self.send(|| Delivery::Waiting(words.to_owned()));
    }

    pub(super) fn assigned(&self, ranges: Vec<PartitionRange>) {
        self.send(|| Delivery::Assigned(ranges));
    }

    pub(super) fn failed(&self, error: ConsumeError) {
        self.send(|| Delivery::Failed(error));
    }

    // That the receiver is gone is noticed by `is_closed`.
    fn send(&self, delivery: impl FnOnce() -> Delivery) {
        if let Self::Table { deliveries, .. } = self {
            let _ = deliveries.send(delivery());
        }
    }
}

/// The thread's state.
pub(super) struct Reader {
    consumer: Arc<BaseConsumer<Context>>,
    budget: Budget,
    sizes: Sizes,
    commands: Receiver<Command>,
    lookups: Sender<Lookup>,
    ends: Arc<Ends>,
    gate: Gate,
    tables: Vec<Table>,
    /// (librdkafka's address of the topic, partition) → (table, lane): spares the comparison of names per message.
    routes: HashMap<(usize, i32), (usize, usize)>,
    unreachable: bool,
}

impl Reader {
    pub(super) fn new(
        consumer: Arc<BaseConsumer<Context>>,
        (budget, sizes): (Budget, Sizes),
        commands: Receiver<Command>,
        lookups: Sender<Lookup>,
        ends: Arc<Ends>,
    ) -> Self {
        let gate = Gate::new(sizes.tables);
        let (tables, routes) = (Vec::new(), HashMap::new());
        Self { consumer, budget, sizes, commands, lookups, ends, gate, tables, routes, unreachable: false }
    }

    /// Reads until told to stop.
    pub(super) fn run(mut self) {
        while self.obey() {
            let now = Instant::now();
            self.tables.iter_mut().for_each(|table| table.hand_over(now));
            self.let_go();
            self.take_report();
            self.inspect(now);
            if self.admit(now) {
                self.read(now);
            } else {
                // Nothing is polled while there is no room: what librdkafka has fetched stays where it is.
                std::thread::sleep(RECHECK);
            }
        }
        let _ = self.lookups.send(Lookup::Stop);
    }

    /// Carries out what was commanded; false when it is time to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(command) => self.carry_out(command),
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Assign { topic, ranges, sink } => self.assign(topic, &ranges, sink),
            Command::Inspected { topic, outcome } => self.inspected(&topic, outcome),
            Command::Commit { topic, offsets } => self.commit(&topic, &offsets),
            Command::Stop => {}
        }
    }

    fn assign(&mut self, topic: Arc<str>, ranges: &[PartitionRange], sink: Sink) {
        if let Some(index) = self.position(&topic) {
            self.remove(index);
        }
        let mut table = Table::new(topic, sink);
        self.extend(&mut table, ranges);
        self.tables.push(table);
        self.routes.clear();
    }

    /// Has librdkafka read the partitions that the table does not read yet.
    fn extend(&self, table: &mut Table, ranges: &[PartitionRange]) {
        let known = table.next();
        let added = table.add(ranges, self.sizes.batch);
        if added.count() == 0 {
            return;
        }
        for range in ranges.iter().filter(|range| !known.contains_key(&range.partition)) {
            self.ends.assigned(&table.topic, range.partition, range.next, range.end);
        }
        match self.consumer.incremental_assign(&added) {
            Ok(()) => table.sink.assigned(ranges.to_vec()),
            Err(source) => table.sink.failed(ConsumeError::Assign { topic: table.topic.clone(), source }),
        }
    }

    fn position(&self, topic: &str) -> Option<usize> {
        self.tables.iter().position(|table| &*table.topic == topic)
    }

    fn remove(&mut self, index: usize) {
        let table = self.tables.swap_remove(index);
        self.routes.clear();
        self.ends.forget(&table.topic);
        let partitions = table.positions();
        if table.paused {
            complain(self.consumer.resume(&partitions));
        }
        complain(self.consumer.incremental_unassign(&partitions));
    }

    /// Stops reading the topics that nobody listens to any more.
    fn let_go(&mut self) {
        while let Some(index) = self.tables.iter().position(|table| table.sink.is_closed()) {
            self.remove(index);
        }
    }

    /// Decides who may be read; false when nothing may.
    fn admit(&mut self, now: Instant) -> bool {
        let consumer = &self.consumer;
        let mut tables: Vec<(&mut Table, Share)> = self
            .tables
            .iter_mut()
            .filter_map(|table| match &table.sink {
                Sink::Table { share, .. } => Some(share.clone()).map(|share| (table, share)),
                Sink::Heartbeats(_) => None,
            })
            .collect();
        let mut loads: Vec<Load> = tables
            .iter()
            .map(|(table, share)| Load { held: share.used(), decoded: share.decoded(), ..table.load })
            .collect();
        let read = self.gate.step(now, self.budget.used(), &mut loads);
        for ((table, share), load) in tables.iter_mut().zip(loads) {
            share.press(load.pressed);
            if read && load.paused != table.paused {
                let partitions = table.positions();
                complain(if load.paused { consumer.pause(&partitions) } else { consumer.resume(&partitions) });
                table.paused = load.paused;
            }
            table.load = load;
        }
        read
    }

    /// Polls a burst of messages.
    fn read(&mut self, now: Instant) {
        let consumer = Arc::clone(&self.consumer);
        let mut timeout = self.patience(now);
        for _ in 0..BURST {
            match consumer.poll(timeout) {
                Some(Ok(message)) => self.receive(now, &message),
                Some(Err(error)) => return self.troubled(&error),
                None => return,
            }
            timeout = Duration::ZERO;
        }
    }

    /// How long a poll may wait.
    fn patience(&self, now: Instant) -> Duration {
        let paused = self.tables.iter().any(|table| table.paused);
        let longest = if paused { RECHECK } else { IDLE };
        let due = self.tables.iter().filter_map(Table::deadline).min();
        due.map_or(longest, |due| due.saturating_duration_since(now).min(longest))
    }

    fn receive(&mut self, now: Instant, message: &BorrowedMessage<'_>) {
        let address = (message.topic_ptr() as usize, message.partition());
        let route = match self.routes.get(&address) {
            Some(route) => Some(*route),
            None => self.route(message).inspect(|route| {
                self.routes.insert(address, *route);
            }),
        };
        let Some((table, lane)) = route else { return };
        if let Some(table) = self.tables.get_mut(table) {
            table.receive(lane, now, message);
        }
    }

    fn route(&self, message: &BorrowedMessage<'_>) -> Option<(usize, usize)> {
        let index = self.position(message.topic())?;
        let lanes = &self.tables.get(index)?.lanes;
        Some((index, lanes.iter().position(|lane| lane.partition == message.partition())?))
    }

    /// librdkafka says that something is wrong, but not with which topic.
    fn troubled(&mut self, error: &KafkaError) {
        let Some(code) = error.rdkafka_error_code() else { return };
        match code {
            RDKafkaErrorCode::AllBrokersDown => self.say_unreachable(),
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.look_at_all(true);
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed => self.look_at_all(false),
            // librdkafka would go on behind what it cannot read.
            RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::InvalidMessage => {
                error!(target: "kafka", %error, "Kafka delivers damaged messages; reading them again");
                self.tables.iter().for_each(|table| self.put_back(table));
                std::thread::sleep(Duration::from_millis(100));
            }
            _ => debug!(target: "kafka", %error, "consumer error"),
        }
    }

    fn say_unreachable(&mut self) {
        let reason = self.consumer.context().trouble.reason();
        let words = reason.unwrap_or_else(|| "no Kafka broker can be reached".into());
        self.unreachable = true;
        self.tables.iter_mut().for_each(|table| table.wait(&words));
    }

    fn look_at_all(&mut self, stalled: bool) {
        let now = Instant::now();
        for table in &mut self.tables {
            table.inspect_at = now;
            table.stalled |= stalled;
        }
    }

    /// Reads the table's partitions again from where they were.
    fn put_back(&self, table: &Table) {
        let partitions = table.positions();
        complain(self.consumer.incremental_unassign(&partitions));
        complain(self.consumer.incremental_assign(&partitions));
    }

    fn take_report(&mut self) {
        let Some(report) = self.consumer.context().take_report() else { return };
        for table in &self.tables {
            let Some(topic) = report.topics.get(&*table.topic) else { continue };
            for lane in &table.lanes {
                if let Some(partition) = topic.partitions.get(&lane.partition) {
                    self.ends.reported(&table.topic, partition, lane.next);
                }
            }
        }
        if self.unreachable && report.connected() {
            self.unreachable = false;
            self.look_at_all(false);
        }
    }

    /// Has the lookup thread look at the topics whose time has come.
    fn inspect(&mut self, now: Instant) {
        for table in self.tables.iter_mut().filter(|table| table.inspect_at <= now) {
            table.inspect_at = now + INSPECTION_INTERVAL;
            let (topic, next) = (table.topic.clone(), table.next());
            let _ = self.lookups.send(Lookup::Inspect { topic, next });
        }
    }

    fn inspected(&mut self, topic: &str, outcome: Result<Vec<PartitionRange>, Obstacle>) {
        let Some(index) = self.position(topic) else { return };
        let mut table = self.tables.swap_remove(index);
        self.routes.clear();
        let failure = match outcome {
            Ok(ranges) => {
                self.sound(&mut table, &ranges);
                None
            }
            Err(Obstacle::Missing) => {
                table.missing += 1;
                table.inspect_at = Instant::now() + SECOND_LOOK;
                (table.missing >= MISSING_LIMIT).then(|| ConsumeError::TopicDeleted { topic: table.topic.clone() })
            }
            Err(Obstacle::Wait(words) | Obstacle::Unreachable(words)) => {
                table.wait(&words);
                table.inspect_at = Instant::now() + SECOND_LOOK;
                None
            }
            Err(Obstacle::Fail(error)) => {
                table.inspect_at = Instant::now() + SECOND_LOOK;
                table.concerns(&error).then_some(error)
            }
        };
        self.tables.push(table);
        if let Some(error) = failure {
            self.fail(self.tables.len() - 1, error);
        }
    }

    /// The topic is there and holds what is to be read next.
    fn sound(&mut self, table: &mut Table, ranges: &[PartitionRange]) {
        table.missing = 0;
        if std::mem::take(&mut table.stalled) {
            self.put_back(table);
        }
        self.extend(table, ranges);
        if std::mem::take(&mut table.waiting) {
            table.sink.assigned(ranges.to_vec());
        }
    }

    /// A table's topic cannot be read on; heartbeats are simply looked for again.
    fn fail(&mut self, index: usize, error: ConsumeError) {
        let Some(table) = self.tables.get(index) else { return };
        let topic = table.topic.clone();
        if let Sink::Heartbeats(last) = &table.sink {
            let sink = Sink::Heartbeats(last.clone());
            let _ = self.lookups.send(Lookup::Find(Wanted { topic, resume: HashMap::new(), sink }));
        } else {
            table.sink.failed(error);
        }
        self.remove(index);
    }

    fn commit(&self, topic: &str, offsets: &HashMap<i32, i64>) {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (&partition, &offset) in offsets {
            let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset));
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            debug!(target: "kafka", %error, "offsets cannot be committed to the Kafka group");
        }
    }
}

fn complain(result: Result<(), KafkaError>) {
    if let Err(error) = result {
        warn!(target: "kafka", %error, "librdkafka refuses to change what is read");
    }
}
