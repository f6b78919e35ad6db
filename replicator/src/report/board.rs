//! The board on which every table's task writes how it is going, and which HTTP, logs and metrics read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::metrics::Metrics;
use super::state::{CommitReport, Knowledge, Phase, TableState};
use crate::change::PartitionProgress;
use crate::consume::{Budget, PartitionRange};

/// Seconds between two progress lines of one snapshot.
const PROGRESS_INTERVAL: i64 = 5;

/// State and metrics of all tables of this process. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    shared: Arc<Shared>,
}

struct Shared {
    tables: Mutex<BTreeMap<String, Arc<Mutex<Entry>>>>,
    metrics: Metrics,
    budget: Budget,
}

impl Board {
    /// An empty board; `budget` is what the metrics say about buffered bytes.
    pub fn new(budget: Budget) -> Self {
        Self { shared: Arc::new(Shared { tables: Mutex::default(), metrics: Metrics::new(), budget }) }
    }

    /// The place of one table on the board, made when it is not there yet. `target` is where its Delta table is.
    pub fn table(&self, name: &str, target: &str) -> TableHandle {
        let mut tables = lock(&self.shared.tables);
        let table = tables
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(Mutex::new(Entry { knowledge: Knowledge::new(name, target), told: None })));
        TableHandle { table: Arc::clone(table), board: self.clone() }
    }

    /// The states of all tables, by name.
    pub fn tables(&self, now: Timestamp) -> Vec<TableState> {
        lock(&self.shared.tables).values().map(|table| lock(table).knowledge.state(now)).collect()
    }

    /// The metrics in the text format of `OpenMetrics`.
    pub fn metrics(&self, now: Timestamp) -> Result<String, fmt::Error> {
        self.shared.metrics.text(&self.tables(now), &self.shared.budget)
    }
}

/// What a table's task reports to. Cheap to clone.
#[derive(Clone)]
pub struct TableHandle {
    table: Arc<Mutex<Entry>>,
    board: Board,
}

struct Entry {
    knowledge: Knowledge,
    /// When the last progress line of the snapshot was logged.
    told: Option<Timestamp>,
}

impl TableHandle {
    /// The Delta table is open.
    pub fn opened(&self, version: u64, rows: u64) {
        self.entry().knowledge.opened(version, rows);
    }

    /// Nothing happens until something comes that is not there yet. `what` is a sentence for a person.
    pub fn waiting(&self, what: &str) {
        let mut entry = self.entry();
        info!(table = entry.knowledge.name(), "waiting: {what}");
        entry.knowledge.stands(Phase::Waiting, what);
    }

    /// Reading starts or goes on; `progress` is what the Delta log says.
    pub fn assigned(&self, progress: &PartitionProgress, ranges: &[PartitionRange]) {
        self.entry().knowledge.assigned(progress, ranges);
    }

    /// Messages came from Kafka; `bytes` of keys and values.
    pub fn received(&self, messages: u64, bytes: u64) {
        self.metrics().received(self.entry().knowledge.name(), messages, bytes);
    }

    /// Messages were read that changed nothing, so that no commit says how far they go.
    pub fn applied(&self, progress: &PartitionProgress) {
        self.entry().knowledge.applied(progress);
    }

    /// A commit landed.
    pub fn committed(&self, report: &CommitReport<'_>, now: Timestamp) {
        let mut entry = self.entry();
        entry.knowledge.committed(report, now);
        self.metrics().committed(entry.knowledge.name(), report, now.as_millisecond());
        entry.tell(report, now);
    }

    /// The connector reads the whole table again; the rows that were there go with the first of the new ones.
    pub fn starts_over(&self) {
        let entry = self.entry();
        warn!(table = entry.knowledge.name(), "the connector takes its initial snapshot again: the table starts over");
    }

    /// A commit did not succeed and is tried again. `why` is a sentence for a person.
    pub fn retrying(&self, why: &str) {
        let mut entry = self.entry();
        warn!(table = entry.knowledge.name(), "retrying: {why}");
        self.metrics().retried(entry.knowledge.name());
        entry.knowledge.stands(Phase::Retrying, why);
    }

    /// The table has stopped. `why` says what happened and what to do.
    pub fn failed(&self, why: &str) {
        let mut entry = self.entry();
        error!(table = entry.knowledge.name(), "stopped: {why}");
        entry.knowledge.stands(Phase::Failed, why);
    }

    /// What a person should know about this table; replaces what was said before.
    pub fn warnings(&self, warnings: &[String]) {
        self.entry().knowledge.warn(warnings.to_vec());
    }

    /// Where the partitions end (partition, offset after the last message), to be told about once a second.
    pub fn ends(&self, ends: impl IntoIterator<Item = (i32, i64)>, now: Timestamp) {
        self.entry().knowledge.ends(ends, now);
    }

    /// The connector sent a heartbeat at `ts_ms`: it had delivered all changes up to then.
    pub fn heartbeat(&self, ts_ms: i64) {
        self.entry().knowledge.heartbeat(ts_ms);
    }

    fn entry(&self) -> MutexGuard<'_, Entry> {
        lock(&self.table)
    }

    fn metrics(&self) -> &Metrics {
        &self.board.shared.metrics
    }
}

impl Entry {
    /// One line per commit, and every few seconds how far the snapshot is.
    fn tell(&mut self, report: &CommitReport<'_>, now: Timestamp) {
        let state = self.knowledge.state(now);
        info!(
            table = state.name,
            version = report.committed.version,
            events = report.counts.total(),
            rows = report.committed.rows,
            bytes = report.committed.bytes_written,
            ms = report.duration.as_millis() as u64,
            lag_messages = state.lag_messages.unwrap_or(0),
            "committed"
        );
        let due = self.told.is_none_or(|told| now.as_second() - told.as_second() >= PROGRESS_INTERVAL);
        if let (Some(percent), true) = (state.snapshot_percent, due) {
            info!(table = state.name, "snapshot: {} rows, {percent} % of what the topic holds", report.committed.rows);
            self.told = Some(now);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::change::{OpCounts, Progress};
    use crate::table::Committed;

    fn now() -> Timestamp {
        Timestamp::from_second(1000).unwrap()
    }

    fn board() -> Board {
        let board = Board::new(Budget::new(256));
        let users = board.table("public.users", "s3://lake/users");
        users.assigned(&PartitionProgress::new(), &[PartitionRange { partition: 0, next: 0, end: 10 }]);
        users.received(7, 700);
        let progress = PartitionProgress::from([(0, Progress { next_offset: 7, ..Progress::default() })]);
        users.committed(
            &CommitReport {
                committed: Committed {
                    version: 2,
                    rows: 5,
                    files: 1,
                    files_written: 2,
                    bytes_written: 900,
                    ..Committed::default()
                },
                counts: OpCounts { reads: 4, updates: 3, ..OpCounts::default() },
                progress: &progress,
                snapshot_completed: true,
                oldest_change_ts_ms: Some(998_800),
                newest_source_ts_ms: Some(999_000),
                duration: Duration::from_millis(40),
            },
            now(),
        );
        board.table("public.orders", "s3://lake/orders").failed("message 4 cannot be decoded");
        board
    }

    #[test]
    fn tables_are_listed_by_name() {
        let tables = board().tables(now());
        let phases: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.phase)).collect();
        assert_eq!(phases, [("public.orders", Phase::Failed), ("public.users", Phase::Streaming)]);
    }

    #[test]
    fn a_table_keeps_its_place() {
        let board = board();
        assert_eq!(board.table("public.users", "elsewhere").entry().knowledge.state(now()).target, "s3://lake/users");
        assert_eq!(board.tables(now()).len(), 2);
    }

    #[test]
    fn the_metrics_say_what_happened() {
        let text = board().metrics(now()).unwrap();
        for line in [
            r#"tributary_events_total{table="public.users",op="read"} 4"#,
            r#"tributary_events_total{table="public.users",op="update"} 3"#,
            r#"tributary_received_messages_total{table="public.users"} 7"#,
            r#"tributary_received_bytes_total{table="public.users"} 700"#,
            r#"tributary_commits_total{table="public.users"} 1"#,
            r#"tributary_commit_duration_seconds_bucket{le="0.05",table="public.users"} 1"#,
            r#"tributary_freshness_seconds_bucket{le="1.0",table="public.users"} 0"#,
            r#"tributary_freshness_seconds_bucket{le="1.5",table="public.users"} 1"#,
            r#"tributary_written_bytes_total{table="public.users"} 900"#,
            r#"tributary_lag_messages{table="public.users"} 3"#,
            r#"tributary_lag_seconds{table="public.users"} 1.0"#,
            r#"tributary_rows{table="public.users"} 5"#,
            r#"tributary_table_up{table="public.users"} 1"#,
            r#"tributary_table_failed{table="public.users"} 0"#,
            r#"tributary_table_failed{table="public.orders"} 1"#,
            "tributary_buffered_bytes_limit 256",
            "tributary_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
