//! Copies a table as the replicator does: barrier, then chunk by chunk, each at a snapshot of its own.

use std::collections::HashSet;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use tokio_postgres::types::PgLsn;
use tributary_e2e::shop::Random;
use tributary_sources::postgres::{
    Barrier, Naming, Range, RangeColumn, Reading, RowReader, Session, Snapshot, connect, facts, position, snapshot,
};

use super::super::{Source, superuser};
use super::changes::Rows;

const TABLE: &str = "public.items";

/// Rows of a range, at a snapshot.
pub(super) struct Chunk {
    pub(super) range: Range,
    pub(super) snapshot: Snapshot,
    pub(super) rows: Rows,
    /// Transactions that had left their number when it was read.
    pub(super) seen: HashSet<u32>,
    /// Where the server's log was before.
    pub(super) after: PgLsn,
}

pub(super) struct Copier {
    session: Session,
    reader: RowReader,
    column: RangeColumn,
    random: Random,
    /// Transactions before this one had begun before the barrier was raised.
    barrier: u64,
}

impl Copier {
    /// One that may begin: all that was running has ended.
    pub(super) async fn past_the_barrier(source: &Source, seed: u64) -> Self {
        let session = connect(&source.postgres(), &superuser()).await.unwrap();
        let columns = &facts(&session, &source.resource(&[TABLE])).await.unwrap().tables[0].columns.clone();
        let before = snapshot(&session).await.unwrap();
        let barrier = Barrier::raise(&session).await.unwrap();
        while barrier.waits_for(&session).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (reader, column) = (RowReader::new(TABLE, columns, Naming::AsIs), RangeColumn::of(&columns[0]).unwrap());
        Self { session, reader, column, random: Random::new(seed), barrier: before.xmax() }
    }

    /// The whole table, in chunks of different sizes.
    pub(super) async fn copy(&mut self) -> Vec<Chunk> {
        let (mut chunks, mut rest) = (Vec::new(), Range::default());
        loop {
            let rows = 10 + self.random.below(60).unsigned_abs();
            let chunk = self.chunk(&rest, rows).await;
            let end = chunk.range.up_to.clone();
            chunks.push(chunk);
            if end.is_none() {
                return chunks;
            }
            rest.after = end;
        }
    }

    /// The first rows of a range.
    pub(super) async fn chunk(&self, rest: &Range, rows: u64) -> Chunk {
        let after = position(&self.session).await.unwrap().lsn;
        let reading = Reading::begin(&self.session, TABLE).await.unwrap();
        let up_to = self.column.nth(&self.session, TABLE, rest, rows).await.unwrap();
        let range = Range { up_to, ..rest.clone() };
        let rows = self.rows(&reading, &range).await;
        let seen = reading.session().query("SELECT transaction FROM seen", &[]).await.unwrap();
        let seen = seen.iter().map(|row| row.get::<_, i64>(0) as u32).collect();
        let snapshot = reading.snapshot().clone();
        assert!(snapshot.xmin() >= self.barrier, "{snapshot} does not contain all that was before {}", self.barrier);
        reading.end().await.unwrap();
        Chunk { range, snapshot, rows, seen, after }
    }

    async fn rows(&self, reading: &Reading<'_>, range: &Range) -> Rows {
        let condition = self.column.condition(range);
        let mut batches = reading.rows(&self.reader, condition.as_deref()).await.unwrap();
        let mut rows = Rows::new();
        while let Some(batch) = batches.next().await.unwrap() {
            let ids = batch.column(0).as_primitive::<Int32Type>().values().iter().map(|id| i64::from(*id));
            rows.extend(ids.zip(batch.column(1).as_primitive::<Int64Type>().values().iter().copied()));
        }
        rows
    }
}
