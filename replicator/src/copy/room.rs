//! Memory for first copies: a part of the process's budget, which a chunk gets before it is begun. So no transaction is open on
//! the source while one waits, and whoever has begun can always go on.

use tokio::sync::Mutex;

use crate::consume::{Budget, Held, Share};

/// Memory of a chunk, at least: a row group of less would be a bad one.
const LEAST: usize = 4 << 20;
/// Memory of a chunk, at most: more makes no better files.
const MOST: usize = 64 << 20;

/// What chunks of all tables of this process get their memory from.
#[derive(Debug)]
pub(super) struct Room {
    budget: Budget,
    copies: Share,
    chunk: usize,
    /// Who waits, in the order in which they came.
    turn: Mutex<()>,
}

impl Room {
    /// For so many connections that read. Each has two chunks: one that is read, and one whose files are completed.
    pub(super) fn new(budget: Budget, connections: usize) -> Self {
        let chunk = (copies(budget.limit()) / (2 * connections.max(1))).clamp(LEAST, MOST);
        Self { copies: budget.share(), budget, chunk, turn: Mutex::default() }
    }

    /// Memory of a chunk.
    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Bytes of rows that a chunk is given at a time.
    pub(super) fn batch(&self) -> usize {
        self.chunk / 16
    }

    /// Waits for the memory of one more chunk, and takes it.
    pub(super) async fn take(&self) -> Held {
        let _turn = self.turn.lock().await;
        let limit = self.budget.limit();
        self.budget.until(|used| may_begin(limit, used, self.copies.used(), self.chunk)).await;
        self.copies.hold(self.chunk)
    }
}

/// What copies have of the budget: the other half is always left for messages.
fn copies(limit: usize) -> usize {
    limit / 2
}

/// Whether a chunk may take `wanted` bytes, when `held` of those that are `used` are other chunks'. One at a time always may: else
/// tables that are followed could keep copies waiting for ever.
fn may_begin(limit: usize, used: usize, held: usize, wanted: usize) -> bool {
    held == 0 || (held + wanted <= copies(limit) && used + wanted <= limit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn copies_share_their_half_with_each_other_and_one_may_always_begin() {
        assert!(may_begin(100, 500, 0, 20), "messages hold everything, and nobody copies");
        assert!(may_begin(100, 30, 30, 20));
        assert!(!may_begin(100, 31, 31, 20), "more than the half of copies");
        assert!(!may_begin(100, 90, 20, 20), "messages have the rest");
        assert!(may_begin(100, 80, 20, 20));
    }

    #[test]
    fn every_connection_has_memory_for_two_chunks_but_neither_too_little_nor_too_much() {
        let chunk = |memory: usize, connections| Room::new(Budget::new(memory * MIB), connections).chunk() / MIB;
        assert_eq!([chunk(256, 2), chunk(256, 8), chunk(16, 2), chunk(4096, 1), chunk(256, 0)], [32, 8, 4, 64, 64]);
    }

    #[tokio::test]
    async fn a_chunk_waits_until_another_one_gives_its_memory_back_and_messages_do_not_stop_the_first() {
        let budget = Budget::new(16 * MIB);
        let messages = budget.hold(16 * MIB);
        let room = Arc::new(Room::new(budget.clone(), 2));
        let first = room.take().await;
        assert_eq!(budget.used(), 20 * MIB);
        let waiting = tokio::spawn({
            let room = Arc::clone(&room);
            async move { room.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "messages have the rest");
        drop(messages);
        let second = waiting.await.unwrap();
        let waiting = tokio::spawn(async move { room.take().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "two chunks have the half of copies");
        drop(first);
        let third = waiting.await.unwrap();
        drop((second, third));
        assert_eq!(budget.used(), 0);
    }
}
