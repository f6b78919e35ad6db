//! Orders as Arrow columns, in the types that the replicator gives them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use crate::workload::Order;

/// The orders under these values of their key `id`.
pub(crate) fn batch(ids: ArrayRef, orders: &[Order]) -> anyhow::Result<RecordBatch> {
    let users = Int64Array::from_iter_values(orders.iter().map(|order| order.user_id));
    let totals = Decimal128Array::from_iter_values(orders.iter().map(|order| i128::from(order.total)));
    let statuses = StringArray::from_iter_values(orders.iter().map(|order| order.status));
    let placed = TimestampMicrosecondArray::from_iter_values(orders.iter().map(|order| order.placed_at_us));
    let notes: StringArray = orders.iter().map(Order::note).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("id", ids),
        ("user_id", Arc::new(users)),
        ("total", Arc::new(totals.with_precision_and_scale(12, 2)?)),
        ("status", Arc::new(statuses)),
        ("placed_at", Arc::new(placed.with_timezone("UTC"))),
        ("note", Arc::new(notes)),
    ];
    let nullable = columns.map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(nullable)?)
}

/// Their own keys.
pub(crate) fn uuids(orders: &[Order]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(orders.iter().map(Order::id_text)))
}
