//! Gathers the messages of one topic partition into batches. Pure: time comes in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Held, RawBatch, RawMessage, Share};

/// A batch is handed over when its first message is this old.
pub(super) const LINGER: Duration = Duration::from_millis(20);
/// A batch is handed over when it has this many messages.
const MAX_MESSAGES: usize = 8192;
/// The budget is told of growth in steps of this many bytes, not at every message.
const HOLD_STEP: usize = 64 * 1024;

/// One message on its way into a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Incoming<'a> {
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) moves_key: bool,
    pub(super) moved_key: bool,
}

/// The batch of one topic partition that is being filled.
#[derive(Debug)]
pub(super) struct Building {
    topic: Arc<str>,
    partition: i32,
    share: Share,
    max_bytes: usize,
    /// That of all messages of a batch.
    placeholder: Option<Arc<str>>,
    open: Option<Open>,
    /// Size of the last batch: what to allocate for the next one.
    last: (usize, usize),
}

#[derive(Debug)]
struct Open {
    messages: Vec<RawMessage>,
    bytes: Vec<u8>,
    held: Held,
    since: Instant,
}

impl Building {
    /// `max_bytes`: a batch is handed over when its keys and values reach this size.
    pub(super) fn new(topic: Arc<str>, partition: i32, share: Share, max_bytes: usize) -> Self {
        Self { topic, partition, share, max_bytes, placeholder: None, open: None, last: (0, 0) }
    }

    /// What messages were written with from here on; the batch of those before, if that was something else.
    pub(super) fn written_with(&mut self, placeholder: Option<&[u8]>) -> Option<RawBatch> {
        if self.placeholder.as_deref().map(str::as_bytes) == placeholder {
            return None;
        }
        let before = self.take();
        // What is no text is no placeholder of ours.
        self.placeholder = placeholder.and_then(|placeholder| str::from_utf8(placeholder).ok()).map(Arc::from);
        before
    }

    /// Adds a message; the batch, if this message completed it.
    pub(super) fn push(&mut self, now: Instant, message: Incoming<'_>) -> Option<RawBatch> {
        let (bytes, messages) = self.last;
        let open = self.open.get_or_insert_with(|| Open {
            messages: Vec::with_capacity(messages),
            bytes: Vec::with_capacity(bytes),
            held: self.share.hold(0),
            since: now,
        });
        let key = message.key.map(|key| open.append(key));
        let value = message.value.map(|value| open.append(value));
        let Incoming { offset, timestamp_ms, moves_key, moved_key, .. } = message;
        open.messages.push(RawMessage { offset, timestamp_ms, key, value, moves_key, moved_key });
        if open.size() > open.held.bytes() {
            open.held.grow(open.size() + HOLD_STEP.min(self.max_bytes / 4));
        }
        let full = open.bytes.len() >= self.max_bytes || open.messages.len() >= MAX_MESSAGES;
        if full { self.take() } else { None }
    }

    /// When the batch must be handed over; `None` while it is empty.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.since + LINGER)
    }

    /// The batch as it is; `None` when it is empty.
    pub(super) fn take(&mut self) -> Option<RawBatch> {
        let mut open = self.open.take()?;
        self.last = (open.bytes.len(), open.messages.len());
        open.bytes.shrink_to_fit();
        open.messages.shrink_to_fit();
        open.held.grow(open.size());
        let Open { messages, bytes, held, .. } = open;
        let (topic, placeholder) = (self.topic.clone(), self.placeholder.clone());
        Some(RawBatch { topic, partition: self.partition, messages, placeholder, bytes, held })
    }
}

impl Open {
    fn append(&mut self, part: &[u8]) -> std::ops::Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        start..self.bytes.len()
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.messages.capacity() * size_of::<RawMessage>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    fn building(max_bytes: usize) -> (Building, Budget) {
        let budget = Budget::new(1 << 20);
        (Building::new("shop.orders".into(), 0, budget.share(), max_bytes), budget)
    }

    fn message(offset: i64, value: &[u8]) -> Incoming<'_> {
        Incoming { offset, timestamp_ms: Some(7), key: Some(b"k"), value: Some(value), ..Incoming::default() }
    }

    #[test]
    fn a_batch_holds_what_was_pushed() {
        let (mut building, _) = building(1000);
        let now = Instant::now();
        assert!(building.push(now, message(4, b"four")).is_none());
        assert!(building.push(now, Incoming { value: None, ..message(6, b"") }).is_none());
        assert!(building.push(now, Incoming { key: None, ..message(7, b"") }).is_none());
        let batch = building.take().unwrap();
        assert_eq!((&*batch.topic, batch.partition, batch.next_offset()), ("shop.orders", 0, Some(8)));
        assert_eq!((batch.key(0), batch.value(0)), (Some(&b"k"[..]), Some(&b"four"[..])));
        assert_eq!((batch.key(1), batch.value(1)), (Some(&b"k"[..]), None));
        assert_eq!((batch.key(2), batch.value(2)), (None, Some(&b""[..])));
        assert!(building.take().is_none());
    }

    #[test]
    fn a_batch_ends_at_its_size() {
        let (mut building, _) = building(100);
        let value = [b'x'; 49];
        assert!(building.push(Instant::now(), message(0, &value)).is_none());
        assert_eq!(building.push(Instant::now(), message(1, &value)).unwrap().messages.len(), 2);
    }

    #[test]
    fn a_batch_ends_at_its_number_of_messages() {
        let (mut building, _) = building(1 << 20);
        let now = Instant::now();
        let batch = (0..).find_map(|offset| building.push(now, message(offset, b""))).unwrap();
        assert_eq!(batch.messages.len(), MAX_MESSAGES);
    }

    #[test]
    fn a_batch_ends_where_messages_were_written_with_another_placeholder() {
        let (mut building, _) = building(1000);
        let now = Instant::now();
        for (offset, placeholder, ended) in [
            (0, None, None),
            (1, Some("a"), Some((None, 1))),
            (2, Some("a"), None),
            (3, Some("b"), Some((Some("a"), 2))),
        ] {
            let before = building.written_with(placeholder.map(str::as_bytes));
            let before = before.as_ref().map(|batch| (batch.placeholder.as_deref(), batch.messages.len()));
            assert_eq!(before, ended);
            assert!(building.push(now, message(offset, b"x")).is_none());
        }
        assert_eq!(building.take().unwrap().placeholder.as_deref(), Some("b"));
    }

    #[test]
    fn a_batch_is_due_when_its_first_message_is_old() {
        let (mut building, _) = building(100);
        assert_eq!(building.deadline(), None);
        let now = Instant::now();
        building.push(now, message(0, b"x"));
        building.push(now + Duration::from_millis(15), message(1, b"y"));
        assert_eq!(building.deadline(), Some(now + LINGER));
    }

    #[test]
    fn the_budget_knows_of_every_byte_and_gets_it_back() {
        let (mut building, budget) = building(10_000);
        building.push(Instant::now(), message(0, &[b'x'; 3000]));
        assert!(budget.used() >= 3000);
        let batch = building.take().unwrap();
        assert!(budget.used() >= 3000 && budget.used() < 4000, "{}", budget.used());
        assert_eq!(batch.held.bytes(), budget.used());
        drop(batch);
        assert_eq!(budget.used(), 0);
    }
}
