//! What happens at the source, as the messages of its topic: transactions, snapshots, added columns, and suffixes that
//! are delivered again.

use std::collections::BTreeMap;

use tributary_replicator::change::{Op, Position};

use crate::rng::Rng;
use crate::shape::{ADDED, Shape};
use crate::value::{Row, Value};

/// One message. Its offset is its index in the topic.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The same for every delivery of one event.
    pub sequence: usize,
    pub op: Op,
    /// The first row of a snapshot: all rows from before are gone.
    pub starts_over: bool,
    pub moves_key: bool,
    /// The second half of a key change.
    pub moved_key: bool,
    pub key: Row,
    /// The row as the source has it, as wide as the source is.
    pub row: Row,
    /// Columns that the message leaves out because they did not change.
    pub unchanged: Vec<usize>,
    /// How many columns the source had.
    pub width: usize,
    pub position: Option<Position>,
    pub source_ts_ms: i64,
}

impl Message {
    /// The row as the message carries it: null where it leaves a value out.
    pub(crate) fn sent(&self) -> Row {
        let value = |(at, value): (usize, &Value)| {
            if self.unchanged.contains(&at) { Value::Null } else { value.clone() }
        };
        self.row.iter().enumerate().map(value).collect()
    }
}

/// Rows by key.
pub(crate) type Rows = BTreeMap<Row, Row>;

/// What must be in the table when the first `offset` messages were applied, by the events alone.
pub(crate) fn rows_after(topic: &[Message], offset: usize) -> Rows {
    let (mut rows, mut next) = (Rows::new(), 0);
    for message in &topic[..offset] {
        if message.sequence == next {
            next += 1;
            apply(message, &mut rows);
        }
    }
    rows
}

fn apply(message: &Message, rows: &mut Rows) {
    if message.starts_over {
        rows.clear();
    }
    match message.op {
        Op::Truncate => rows.clear(),
        Op::Delete => drop(rows.remove(&message.key)),
        Op::Read { .. } | Op::Create | Op::Update => drop(rows.insert(message.key.clone(), message.row.clone())),
    }
}

/// The source at work.
pub(crate) struct Source<'a> {
    shape: &'a Shape,
    rng: Rng,
    rows: Rows,
    width: usize,
    topic: Vec<Message>,
    events: usize,
    /// How often a suffix is delivered again, per mille of the changes.
    replays: usize,
    /// The last event of a snapshot: replays begin after it.
    replay_from: usize,
    lsn: u64,
    commit_lsn: u64,
    time: i64,
}

impl<'a> Source<'a> {
    /// Everything that a topic of about `messages` messages says.
    pub(crate) fn topic(shape: &'a Shape, rng: Rng, messages: usize) -> Vec<Message> {
        let mut source = Self { replays: 15, ..Self::new(shape, rng) };
        source.begin();
        while source.topic.len() < messages {
            source.act();
        }
        source.topic
    }

    /// A source without rows, that delivers each event once.
    pub(crate) fn new(shape: &'a Shape, rng: Rng) -> Self {
        Self {
            shape,
            rng,
            rows: Rows::new(),
            width: shape.first_width(),
            topic: Vec::new(),
            events: 0,
            replays: 0,
            replay_from: 0,
            lsn: 1000,
            commit_lsn: 900,
            time: 1_700_000_000_000,
        }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.topic
    }

    /// Often there are rows before anybody listens, and a snapshot brings them.
    fn begin(&mut self) {
        if self.rng.chance(500) {
            return;
        }
        for _ in 0..self.rng.between(1, 30) {
            let key = self.shape.random_key(&mut self.rng);
            let row = self.new_row(&key);
            self.rows.insert(key, row);
        }
        self.snapshot();
    }

    fn act(&mut self) {
        match self.rng.below(100) {
            0 => self.snapshot(),
            1 => self.read_between(),
            2 if self.width < self.shape.first_width() + ADDED => self.width += 1,
            3 => self.truncate(),
            _ => self.transaction(),
        }
    }

    fn transaction(&mut self) {
        let (changes, last) = (self.rng.between(1, 8), self.topic.len());
        self.time += self.rng.between(0, 5) as i64;
        for _ in 0..changes {
            self.change();
        }
        if self.topic.len() > last {
            self.commit_lsn = self.lsn + 1;
            self.lsn += 2;
        }
    }

    fn change(&mut self) {
        let key = self.shape.random_key(&mut self.rng);
        match self.rng.below(100) {
            0..45 => self.put(key, false),
            45..70 => self.put(key, true),
            70..85 => self.delete(&key),
            _ => {
                let to = self.shape.random_key(&mut self.rng);
                self.move_key(&key, to);
            }
        }
    }

    fn new_row(&mut self, key: &Row) -> Row {
        let values = (self.shape.key..self.width).map(|column| self.shape.random_value(column, &mut self.rng));
        key.iter().cloned().chain(values).collect()
    }

    /// A row of this key, or another one instead of the one it has; of large values those that stay are left out.
    pub(crate) fn put(&mut self, key: Row, keeps_large: bool) {
        let mut row = self.new_row(&key);
        if !self.rows.contains_key(&key) {
            return self.upsert(Op::Create, key, row, vec![]);
        }
        let old = self.padded(&key);
        let mut unchanged = Vec::new();
        for (at, column) in self.shape.columns[..self.width].iter().enumerate() {
            if column.toast && keeps_large && old[at] != Value::Null && self.rng.chance(700) {
                row[at] = old[at].clone();
                unchanged.push(at);
            }
        }
        self.upsert(Op::Update, key, row, unchanged);
    }

    /// An update of the key: a delete and a create at one position.
    pub(crate) fn move_key(&mut self, from: &Row, to: Row) {
        if !self.rows.contains_key(from) || self.rows.contains_key(&to) {
            return;
        }
        let mut row = self.padded(from);
        row[..self.shape.key].clone_from_slice(&to);
        let large = |at: &usize| self.shape.columns[*at].toast && row[*at] != Value::Null;
        let unchanged: Vec<usize> = (self.shape.key..self.width).filter(large).collect();
        self.remove(from, true);
        self.rows.insert(to.clone(), row.clone());
        self.push(Message { unchanged, moved_key: true, ..self.message(Op::Create, to, row) });
    }

    fn padded(&self, key: &Row) -> Row {
        let mut row = self.rows[key].clone();
        row.resize(self.width, Value::Null);
        row
    }

    fn upsert(&mut self, op: Op, key: Row, row: Row, unchanged: Vec<usize>) {
        self.lsn += 8;
        self.rows.insert(key.clone(), row.clone());
        self.push(Message { unchanged, ..self.message(op, key, row) });
    }

    pub(crate) fn delete(&mut self, key: &Row) {
        if self.rows.contains_key(key) {
            self.remove(key, false);
        }
    }

    fn remove(&mut self, key: &Row, moves_key: bool) {
        self.lsn += 8;
        self.rows.remove(key);
        let mut row = key.clone();
        row.resize(self.width, Value::Null);
        self.push(Message { moves_key, ..self.message(Op::Delete, key.clone(), row) });
    }

    pub(crate) fn truncate(&mut self) {
        self.lsn += 8;
        self.rows.clear();
        let row = vec![Value::Null; self.width];
        self.push(self.message(Op::Truncate, vec![], row));
        self.commit_lsn = self.lsn;
    }

    /// The whole source is read again, under a position of its own.
    fn snapshot(&mut self) {
        self.lsn += 8;
        self.time += 1000;
        let keys: Vec<Row> = self.rows.keys().cloned().collect();
        let position = Some(Position { commit_lsn: 0, lsn: self.lsn });
        for (at, key) in keys.iter().enumerate() {
            let op = Op::Read { last: at + 1 == keys.len() };
            let row = self.padded(key);
            self.rows.insert(key.clone(), row.clone());
            self.append(Message { starts_over: at == 0, position, ..self.message(op, key.clone(), row) });
        }
        self.commit_lsn = self.lsn;
        self.replay_from = self.events;
    }

    /// Some rows are read between changes (an incremental snapshot): they have no position.
    fn read_between(&mut self) {
        let keys: Vec<Row> = self.rows.keys().take(5).cloned().collect();
        for key in keys {
            let row = self.padded(&key);
            self.rows.insert(key.clone(), row.clone());
            self.append(Message { position: None, ..self.message(Op::Read { last: false }, key, row) });
        }
        self.replay_from = self.events;
    }

    fn message(&self, op: Op, key: Row, row: Row) -> Message {
        Message {
            sequence: self.events,
            op,
            starts_over: false,
            moves_key: false,
            moved_key: false,
            key,
            row,
            unchanged: vec![],
            width: self.width,
            position: Some(Position { commit_lsn: self.commit_lsn, lsn: self.lsn }),
            source_ts_ms: self.time,
        }
    }

    fn append(&mut self, message: Message) {
        self.events = message.sequence + 1;
        self.topic.push(message);
    }

    /// Appends a change, and now and then all changes since some earlier one once more.
    fn push(&mut self, message: Message) {
        self.append(message);
        if self.rng.chance(self.replays) {
            let from = self.replay_from.max(self.events.saturating_sub(self.rng.between(1, 40)));
            let mut again: Vec<Message> = Vec::new();
            for message in self.topic.iter().rev() {
                if message.sequence >= from && again.iter().all(|other| other.sequence != message.sequence) {
                    again.push(message.clone());
                }
            }
            again.sort_by_key(|message| message.sequence);
            self.topic.extend(again);
        }
    }
}
