//! What a table's task reports of the copy of the source's rows, and of the source itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::{Entry, TableHandle};
use crate::change::{OpCounts, PartitionProgress};
use crate::consume::Tick;
use crate::report::state::{CommitReport, RESYNC_REFUSED};
use crate::report::table_state::TableState;
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
            oldest_message_ts_ms: None,
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

    /// What the task of a shadow of the table reports to: it has its own place, which is not on the board.
    #[must_use]
    pub fn of_shadow(&self) -> Self {
        let knowledge = self.entry().knowledge.of_shadow();
        Self { table: Arc::new(Mutex::new(Entry::of(knowledge))), board: self.board.clone() }
    }

    /// The table as `schema.table`.
    pub fn name(&self) -> String {
        self.entry().knowledge.name().to_owned()
    }

    /// What is known of the table now.
    pub fn state(&self) -> TableState {
        self.entry().knowledge.state(Timestamp::now())
    }

    /// The rows are copied anew beside the old ones, for this reason; `shadow` is how far those are.
    pub fn renewing(&self, why: &str, shadow: &TableState) {
        self.entry().knowledge.renewing(why, shadow);
    }

    /// A copy made anew is in the place of the old rows.
    pub fn renewed(&self) {
        let mut entry = self.entry();
        info!(table = entry.knowledge.name(), "the copy made anew has taken the place of the old rows");
        entry.knowledge.renewed();
    }

    /// A copy anew is wished for by an annotation, and nobody reads the database; or that is so no more.
    pub fn resync_refused(&self, refused: bool) {
        let mut entry = self.entry();
        if entry.knowledge.resync_refused(refused) && refused {
            warn!(table = entry.knowledge.name(), "{RESYNC_REFUSED}");
        }
    }

    /// How far the source's log had come out when the connector's last tick was read.
    pub fn delivered(&self) -> Option<u64> {
        self.entry().knowledge.delivered()
    }

    /// Whether the table is compared with its `source`, if there is one to read; `known`: what was copied is known, or will be.
    pub fn compared(&self, source: bool, known: bool) {
        self.entry().knowledge.compared(source, known);
    }

    /// The source cannot be looked at, in words, or can.
    pub fn source_unseen(&self, why: Option<&str>) {
        let mut entry = self.entry();
        if let Some(why) = entry.knowledge.source_unseen(why) {
            warn!(table = entry.knowledge.name(), "the source is not looked at: {why}");
        }
    }

    /// There is no topic yet, and there was none when this tick came. `what` is a sentence for a person.
    pub fn no_topic(&self, what: &str, tick: Option<Tick>) {
        let mut entry = self.entry();
        if entry.knowledge.no_topic(what, tick) {
            info!(table = entry.knowledge.name(), "waiting: {what}");
        }
    }
}
