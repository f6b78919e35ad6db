//! The thread that polls librdkafka: routes messages, hands batches over, pauses partitions when memory is short.

mod inspection;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::admission::{Gate, Load};
use super::client::Sizes;
use super::context::Context;
use super::ends::Ends;
use super::lookup::{Lookup, Obstacle};
use super::sink::{Reads, Sink};
use super::start::Found;
use super::tables::Table;
use super::{Budget, ConsumeError, PartitionRange, Share, Tick};

/// Messages polled before anything else is looked at; fewer, when they are as large as a batch.
const BURST: usize = 256;
/// How long a poll waits when nothing is due.
const IDLE: Duration = Duration::from_millis(50);
/// How often a paused or resting reader looks whether there is room again.
const RECHECK: Duration = Duration::from_millis(2);

/// What the reader is told.
pub(super) enum Command {
    /// Read a topic.
    Assign { topic: Arc<str>, found: Vec<Found>, sink: Sink },
    /// What the lookup thread found about a topic that is being read.
    Inspected { topic: Arc<str>, outcome: Result<Vec<Found>, Obstacle> },
    /// Commit offsets to the group.
    Commit { topic: Arc<str>, offsets: HashMap<i32, i64> },
    /// Find where the topics of changes end, now that a tick was read.
    Confirm { tick: Tick, confirmed: oneshot::Sender<()> },
    /// End the thread.
    Stop,
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
    /// When damaged messages were last logged.
    damaged: Option<Instant>,
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
        let (unreachable, damaged) = (false, None);
        Self { consumer, budget, sizes, commands, lookups, ends, gate, tables, routes, unreachable, damaged }
    }

    /// Reads until told to stop.
    pub(super) fn run(mut self) {
        while self.handle_commands() {
            let now = Instant::now();
            self.tables.iter_mut().for_each(|table| table.hand_over(now));
            self.remove_closed();
            self.take_report();
            self.fail_recreated();
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
    fn handle_commands(&mut self) -> bool {
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
            Command::Assign { topic, found, sink } => self.assign(topic, &found, sink),
            Command::Inspected { topic, outcome } => self.inspected(&topic, outcome),
            Command::Commit { topic, offsets } => self.commit(&topic, &offsets),
            Command::Confirm { tick, confirmed } => self.confirm(tick, confirmed),
            Command::Stop => {}
        }
    }

    fn assign(&mut self, topic: Arc<str>, found: &[Found], sink: Sink) {
        if let Some(index) = self.position(&topic) {
            self.remove(index);
        }
        let mut table = Table::new(topic, sink);
        self.extend(&mut table, found);
        self.tables.push(table);
        self.routes.clear();
    }

    /// Has librdkafka read the partitions that the table does not read yet.
    fn extend(&self, table: &mut Table, found: &[Found]) {
        let known = table.resume();
        let added = table.add(found, self.sizes.batch);
        if added.count() == 0 {
            return;
        }
        let ranges = ranges(found);
        for range in ranges.iter().filter(|range| !known.contains_key(&range.partition)) {
            self.ends.assigned(&table.topic, range.partition, range.next, range.end);
        }
        match self.consumer.incremental_assign(&added) {
            Ok(()) => table.sink.assigned(ranges),
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
            warn_if_refused(self.consumer.resume(&partitions));
        }
        warn_if_refused(self.consumer.incremental_unassign(&partitions));
    }

    /// Stops reading the topics that nobody listens to any more.
    fn remove_closed(&mut self) {
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
            .filter(|table| table.sink.reads == Reads::Changes)
            .map(|table| {
                let share = table.sink.share.clone();
                (table, share)
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
                warn_if_refused(if load.paused { consumer.pause(&partitions) } else { consumer.resume(&partitions) });
                table.paused = load.paused;
            }
            table.load = load;
        }
        read
    }

    /// Polls a burst of messages.
    fn read(&mut self, now: Instant) {
        let consumer = Arc::clone(&self.consumer);
        let (mut timeout, mut bytes) = (self.patience(now), 0);
        for _ in 0..BURST {
            match consumer.poll(timeout) {
                Some(Ok(message)) => {
                    self.fail_recreated();
                    self.receive(now, &message);
                    bytes += message.payload_len() + message.key_len();
                    if bytes >= self.sizes.batch {
                        return;
                    }
                }
                Some(Err(error)) => return self.on_error(&error),
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
        let Some((index, lane)) = route else { return };
        let Some(table) = self.tables.get_mut(index) else { return };
        if let Err(error) = table.receive(lane, now, message) {
            self.fail(index, error);
        }
    }

    /// Has the lookup thread see how far the topics go now that the tick came: it says something of what is there.
    fn confirm(&self, tick: Tick, confirmed: oneshot::Sender<()>) {
        let mut ends = TopicPartitionList::new();
        for table in self.tables.iter().filter(|table| table.sink.reads == Reads::Changes) {
            for lane in &table.lanes {
                let _ = ends.add_partition_offset(&table.topic, lane.partition, Offset::End);
            }
        }
        let _ = self.lookups.send(Lookup::Confirm { tick, ends, confirmed });
    }

    fn route(&self, message: &BorrowedMessage<'_>) -> Option<(usize, usize)> {
        let index = self.position(message.topic())?;
        let lanes = &self.tables.get(index)?.lanes;
        Some((index, lanes.iter().position(|lane| lane.partition == message.partition())?))
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

fn ranges(found: &[Found]) -> Vec<PartitionRange> {
    found.iter().map(|found| found.range).collect()
}

fn warn_if_refused(result: Result<(), KafkaError>) {
    if let Err(error) = result {
        warn!(target: "kafka", %error, "librdkafka refuses to change what is read");
    }
}
