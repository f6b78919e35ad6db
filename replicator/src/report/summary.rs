//! What was committed lately, of all tables together: one line a minute says it.

use std::collections::BTreeSet;

use tracing::info;

use super::CommitReport;

/// What was committed since the last line.
#[derive(Debug, Default)]
pub(super) struct Summary {
    tables: BTreeSet<String>,
    commits: u64,
    events: u64,
    bytes: u64,
    longest_ms: u64,
    retries: u64,
}

impl Summary {
    pub(super) fn committed(&mut self, table: &str, report: &CommitReport<'_>) {
        if !self.tables.contains(table) {
            self.tables.insert(table.to_owned());
        }
        self.commits += 1;
        self.events += report.counts.total();
        self.bytes += report.committed.bytes_written;
        self.longest_ms = self.longest_ms.max(report.duration.as_millis() as u64);
    }

    pub(super) fn retried(&mut self) {
        self.retries += 1;
    }

    /// Logs what there is, and starts again. Nothing happened: nothing is said.
    pub(super) fn tell(&mut self) {
        let Self { tables, commits, events, bytes, longest_ms, retries } = std::mem::take(self);
        if commits + retries > 0 {
            info!(tables = tables.len(), commits, events, bytes, longest_ms, retries, "committed since the last line");
        }
    }
}
