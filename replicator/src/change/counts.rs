//! How many events of each operation.

use super::Op;

/// Counts of applied events by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpCounts {
    /// Rows read by a snapshot.
    pub reads: u64,
    /// Rows created.
    pub creates: u64,
    /// Rows updated.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Truncates.
    pub truncates: u64,
}

impl OpCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.reads + self.creates + self.updates + self.deletes + self.truncates
    }

    pub(super) fn count(&mut self, op: Op) {
        let counter = match op {
            Op::Read { .. } => &mut self.reads,
            Op::Create => &mut self.creates,
            Op::Update => &mut self.updates,
            Op::Delete => &mut self.deletes,
            Op::Truncate => &mut self.truncates,
        };
        *counter += 1;
    }
}
