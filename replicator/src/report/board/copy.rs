//! What a table's task reports of the copy of the source's rows, and of the source itself.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::TableHandle;
use crate::change::{OpCounts, PartitionProgress};
use crate::report::state::CommitReport;
use crate::table::Committed;

impl TableHandle {
    /// Rows are copied from the source: how many percent are, and how that goes in words.
    pub fn copying(&self, percent: u8, words: &str) {
        self.entry().knowledge.copying(percent, words);
    }

    /// A chunk of a copy was committed.
    pub fn copied_rows(&self, committed: &Committed, rows: u64, duration: Duration, progress: &PartitionProgress) {
        let report = CommitReport {
            committed,
            counts: OpCounts { reads: rows, ..OpCounts::default() },
            progress,
            snapshot_completed: false,
            oldest_change_ts_ms: None,
            newest_source_ts_ms: None,
            duration,
            why: "copy",
        };
        self.committed(&report, Timestamp::now());
    }

    /// All rows are copied. The table is complete once the stream has `passed` what the copy contains.
    pub fn follows_copy(&self, passed: bool) {
        self.entry().knowledge.follows_copy(passed);
    }

    /// The rows are to be copied again.
    pub fn copied_anew(&self, why: &str) {
        let mut entry = self.entry();
        warn!(table = entry.knowledge.name(), "the rows are copied anew: {why}");
        entry.knowledge.copied_anew(why);
    }

    /// The source cannot be looked at, in words, or can.
    pub fn source_unseen(&self, why: Option<&str>) {
        let mut entry = self.entry();
        if let Some(why) = entry.knowledge.source_unseen(why) {
            warn!(table = entry.knowledge.name(), "the source is not looked at: {why}");
        }
    }

    /// There is no topic yet, and there was none when the connector sent the heartbeat of this time. `what` is a sentence for a
    /// person.
    pub fn no_topic(&self, what: &str, heartbeat_ms: Option<i64>) {
        let mut entry = self.entry();
        if entry.knowledge.no_topic(what, heartbeat_ms) {
            info!(table = entry.knowledge.name(), "waiting: {what}");
        }
    }
}
