//! The load as decoded changes: rows of the snapshot and updates of single rows, under one of two kinds of key.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::Int64Array;
use tributary_replicator::change::{ChangeBatch, Event, Op, Position, RowSchema};

use crate::columns;
use crate::workload::{Order, Workload};

/// What identifies a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `bigint`, counted up.
    Number,
    /// `uuid`, as everywhere else in the benchmark.
    Uuid,
}

/// Makes changes with offsets that go on.
pub(super) struct Changes {
    key: Key,
    pub(super) workload: Workload,
    schema: Arc<RowSchema>,
    next_offset: i64,
}

impl Changes {
    pub(super) fn new(key: Key, workload: Workload) -> anyhow::Result<Self> {
        let empty = columns::batch(ids(key, std::iter::empty(), &[]), &[])?;
        let schema = Arc::new(RowSchema { arrow: empty.schema(), key: vec![0], warnings: Vec::new() });
        Ok(Self { key, workload, schema, next_offset: 0 })
    }

    pub(super) fn schema(&self) -> &RowSchema {
        &self.schema
    }

    /// The events after these come from `offset` on.
    pub(super) fn go_on_at(&mut self, offset: i64) {
        self.next_offset = offset;
    }

    /// Rows of the snapshot.
    pub(super) fn rows(&mut self, rows: Range<u64>) -> anyhow::Result<ChangeBatch> {
        let orders: Vec<_> = rows.clone().map(Order::snapshot).collect();
        self.batch(rows, &orders, Op::Create)
    }

    /// Updates, the first one number 0.
    pub(super) fn updates(&mut self, numbers: Range<u64>) -> anyhow::Result<ChangeBatch> {
        let workload = self.workload;
        let orders: Vec<_> = numbers.clone().map(|number| workload.update(number)).collect();
        self.batch(numbers.map(|number| workload.updated_row(number)), &orders, Op::Update)
    }

    /// Whole rows, as they are to be.
    pub(super) fn orders(&mut self, first: u64, orders: &[Order]) -> anyhow::Result<ChangeBatch> {
        self.batch(first..first + orders.len() as u64, orders, Op::Create)
    }

    fn batch(&mut self, rows: impl Iterator<Item = u64>, orders: &[Order], op: Op) -> anyhow::Result<ChangeBatch> {
        let rows = columns::batch(ids(self.key, rows, orders), orders)?;
        let first = self.next_offset;
        self.next_offset += orders.len() as i64;
        let event = |offset: i64| Event {
            offset,
            op,
            position: Some(Position { commit_lsn: offset as u64, lsn: offset as u64 + 1 }),
            source_ts_ms: offset,
            transaction: None,
            moves_key: false,
            moved_key: false,
            message_ts_ms: Some(offset),
        };
        let events = (first..self.next_offset).map(event).collect();
        let unchanged = vec![None; rows.num_columns()];
        Ok(ChangeBatch { schema: Arc::clone(&self.schema), rows, events, unchanged })
    }
}

fn ids(key: Key, rows: impl Iterator<Item = u64>, orders: &[Order]) -> arrow_array::ArrayRef {
    match key {
        Key::Number => Arc::new(Int64Array::from_iter_values(rows.map(|row| row as i64))),
        Key::Uuid => columns::uuids(orders),
    }
}
