//! The board on which every table's task writes how it is going, and which HTTP, logs and metrics read.

mod copy;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::{debug, error, info, warn};
use tributary_crds::TablePhase as Phase;

use super::metrics::Metrics;
use super::state::{CommitReport, Knowledge, TableState};
use super::summary::Summary;
use crate::change::PartitionProgress;
use crate::consume::{Budget, PartitionRange, Share, Tick};
use crate::policy::Policy;
use crate::table::{Job, Maintained, TableStats};

/// Seconds between two progress lines of one snapshot.
const PROGRESS_INTERVAL: i64 = 60;

/// State and metrics of all tables of this process. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    shared: Arc<Shared>,
}

struct Shared {
    tables: Mutex<BTreeMap<String, Arc<Mutex<Entry>>>>,
    metrics: Metrics,
    summary: Mutex<Summary>,
    budget: Budget,
}

impl Board {
    /// An empty board; `budget` is what the metrics say about buffered bytes.
    pub fn new(budget: Budget) -> Self {
        let (tables, summary) = (Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { tables, metrics: Metrics::new(), summary, budget }) }
    }

    /// The place of one table on the board, made when it is not there yet. `target` is where its Delta table is.
    pub fn table(&self, name: &str, target: &str) -> TableHandle {
        let mut tables = lock(&self.shared.tables);
        let table = tables.entry(name.to_owned()).or_insert_with(|| Arc::new(Mutex::new(Entry::new(name, target))));
        TableHandle { table: Arc::clone(table), board: self.clone() }
    }

    /// The states of all tables, by name.
    pub fn tables(&self, now: Timestamp) -> Vec<TableState> {
        lock(&self.shared.tables).values().map(|table| lock(table).knowledge.state(now)).collect()
    }

    /// A tick came, which was written to Kafka at `written_ms`.
    pub fn tick(&self, tick: Tick, written_ms: i64) {
        self.shared.metrics.tick(written_ms - tick.ts_ms);
    }

    /// Logs what was committed since the last call; to be called once a minute.
    pub fn summarise(&self) {
        lock(&self.shared.summary).tell();
    }

    /// The metrics in the text format of `OpenMetrics`.
    pub fn metrics(&self, now: Timestamp) -> Result<String, fmt::Error> {
        for table in lock(&self.shared.tables).values() {
            let entry = lock(table);
            if let Some(share) = &entry.share {
                self.shared.metrics.held(entry.knowledge.name(), share.used());
            }
        }
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
    /// What it holds of the memory.
    share: Option<Share>,
}

impl TableHandle {
    /// The table is started again: what was wrong is forgotten.
    pub fn restarting(&self, why: &str) {
        let mut entry = self.entry();
        info!(table = entry.knowledge.name(), "starting again: {why}");
        self.metrics().restarted(entry.knowledge.name());
        entry.knowledge.stands(Phase::Waiting, "starting");
    }

    /// The Delta table is open; `progress` is what its log says.
    pub fn opened(&self, version: u64, rows: u64, progress: &PartitionProgress) {
        let mut entry = self.entry();
        let offsets: Vec<i64> = progress.values().map(|progress| progress.next_offset).collect();
        let position = progress.values().find_map(|progress| progress.position).map(|position| position.to_string());
        info!(table = entry.knowledge.name(), version, rows, ?offsets, position, "opened");
        entry.knowledge.opened(version, rows);
        entry.knowledge.resumes(progress);
    }

    /// What the table holds of the memory from now on.
    pub fn watch_memory(&self, share: Share) {
        self.entry().share = Some(share);
    }

    /// What the table's storage and index weigh now.
    pub fn stats(&self, stats: &TableStats) {
        self.metrics().stats(self.entry().knowledge.name(), stats);
    }

    /// Something rare happened and all is well: a foreign commit was taken in, files were merged. `what` is a sentence.
    pub fn noted(&self, what: &str) {
        info!(table = self.entry().knowledge.name(), "{what}");
    }

    /// The table was looked after, and has this version now.
    pub fn maintained(&self, done: &Maintained, version: u64) {
        let mut entry = self.entry();
        entry.knowledge.maintained(version);
        let Maintained { job, removed, written, bytes_written } = *done;
        self.metrics().maintained(entry.knowledge.name(), job.name(), "done");
        info!(table = entry.knowledge.name(), removed, written, bytes = bytes_written, "{}", job.name());
    }

    /// The table could not be looked after; it is written all the same.
    pub fn maintenance_failed(&self, job: Job, policy: Policy, why: &str) {
        let entry = self.entry();
        self.metrics().erred(entry.knowledge.name(), policy);
        self.metrics().maintained(entry.knowledge.name(), job.name(), "failed");
        warn!(table = entry.knowledge.name(), "{} did not succeed and is tried again: {why}", job.name());
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

    /// Events were delivered again that the table had.
    pub fn skipped(&self, events: u64) {
        if events > 0 {
            self.metrics().skipped(self.entry().knowledge.name(), events);
        }
    }

    /// A message could not be decoded.
    pub fn cannot_decode(&self) {
        self.metrics().cannot_decode(self.entry().knowledge.name());
    }

    /// A commit landed.
    pub fn committed(&self, report: &CommitReport<'_>, now: Timestamp) {
        let mut entry = self.entry();
        entry.knowledge.committed(report, now);
        self.metrics().committed(entry.knowledge.name(), report, now.as_millisecond());
        lock(&self.board.shared.summary).committed(entry.knowledge.name(), report);
        entry.tell(report, now);
    }

    /// The connector reads the whole table again; the rows that were there go with the first of the new ones.
    pub fn starts_over(&self) {
        let entry = self.entry();
        warn!(table = entry.knowledge.name(), "the connector takes its initial snapshot again: the table starts over");
    }

    /// Something did not succeed and is tried again, as `policy` says. `why` is a sentence for a person.
    pub fn retrying(&self, policy: Policy, why: &str) {
        let mut entry = self.entry();
        self.metrics().erred(entry.knowledge.name(), policy);
        lock(&self.board.shared.summary).retried();
        warn!(table = entry.knowledge.name(), "retrying: {why}");
        entry.knowledge.stands(Phase::Retrying, why);
    }

    /// What was tried again has succeeded.
    pub fn goes_on(&self) {
        self.entry().knowledge.goes_on();
    }

    /// The table has stopped, until it is started again as `policy` says. `why` says what happened and what to do.
    pub fn stopped(&self, policy: Policy, why: &str) {
        let mut entry = self.entry();
        error!(table = entry.knowledge.name(), "stopped: {why}");
        self.metrics().erred(entry.knowledge.name(), policy);
        entry.knowledge.stands(Phase::Stopped, why);
    }

    /// The table has stopped by a fault of this program.
    pub fn internal_error(&self, why: &str) {
        self.metrics().internal_error(self.entry().knowledge.name());
        self.stopped(Policy::Stop, why);
    }

    /// What a person should know about this table; replaces what was said before.
    pub fn warnings(&self, warnings: &[String]) {
        self.entry().knowledge.warn(warnings.to_vec());
    }

    /// Where the partitions end (partition, offset after the last message), to be told about once a second.
    pub fn ends(&self, ends: impl IntoIterator<Item = (i32, i64)>) {
        self.entry().knowledge.ends(ends);
    }

    /// The connector had delivered all changes before `tick`, when the ends were told.
    pub fn tick(&self, tick: Tick) {
        self.entry().knowledge.tick(tick);
    }

    /// The connector sends no ticks.
    pub fn no_ticks(&self, now: Timestamp) {
        self.entry().knowledge.no_ticks(now);
    }

    /// Why the connector's ticks cannot be read, in words, if they cannot.
    pub fn ticks_unread(&self, why: Option<String>) {
        self.entry().knowledge.ticks_unread(why);
    }

    /// How far the source's log is now.
    pub fn source_at(&self, lsn: u64) {
        self.entry().knowledge.source_at(lsn);
    }

    fn entry(&self) -> MutexGuard<'_, Entry> {
        lock(&self.table)
    }

    fn metrics(&self) -> &Metrics {
        &self.board.shared.metrics
    }
}

impl Entry {
    fn new(name: &str, target: &str) -> Self {
        Self { knowledge: Knowledge::new(name, target), told: None, share: None }
    }

    /// One line per commit for those who look closely, and once a minute how far the snapshot is.
    fn tell(&mut self, report: &CommitReport<'_>, now: Timestamp) {
        let state = self.knowledge.state(now);
        debug!(
            table = state.name,
            version = report.committed.version,
            why = report.why,
            events = report.counts.total(),
            rows = report.committed.rows,
            bytes = report.committed.bytes_written,
            ms = report.duration.as_millis() as u64,
            lag_messages = state.lag_messages.unwrap_or(0),
            "committed"
        );
        let due = self.told.is_none_or(|told| now.as_second() - told.as_second() >= PROGRESS_INTERVAL);
        if let (Some(percent), true) = (state.snapshot_percent, due) {
            info!(table = state.name, "first copy: {} rows, {percent} %", report.committed.rows);
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
    use crate::table::{Committed, Stages};

    fn now() -> Timestamp {
        Timestamp::from_second(1000).unwrap()
    }

    fn board() -> Board {
        let board = Board::new(Budget::new(256));
        let users = board.table("public.users", "s3://lake/users");
        users.assigned(&PartitionProgress::new(), &[PartitionRange { partition: 0, next: 0, end: 10 }]);
        users.received(7, 700);
        let progress = PartitionProgress::from([(0, Progress { next_offset: 7, ..Progress::default() })]);
        let stages = Stages { write: Duration::from_millis(30), ..Stages::default() };
        users.committed(
            &CommitReport {
                committed: &Committed {
                    version: 2,
                    rows: 5,
                    files: 1,
                    files_written: 2,
                    bytes_written: 900,
                    conflicts: 1,
                    stages,
                },
                counts: OpCounts { reads: 4, updates: 3, ..OpCounts::default() },
                progress: &progress,
                snapshot_completed: true,
                oldest_change_ts_ms: Some(998_800),
                oldest_message_ts_ms: Some(999_200),
                newest_source_ts_ms: Some(999_000),
                duration: Duration::from_millis(40),
                why: "interval",
            },
            now(),
        );
        users.follows_copy(true);
        users.source_at(0x10_0100);
        users.ends([(0, 7)]);
        users.tick(Tick { lsn: 0x10_0000, ts_ms: 999_000 });
        users.ends([(0, 10)]);
        board.tick(Tick { lsn: 0x10_0000, ts_ms: 999_000 }, 999_080);
        users.skipped(2);
        users.retrying(Policy::TryAgain, "S3 answers 503");
        users.goes_on();
        users.stats(&TableStats { files: 3, small_files: 2, index_bytes: 70, ..TableStats::default() });
        let share = board.shared.budget.share();
        let held = share.hold(17);
        users.watch_memory(share);
        std::mem::forget(held);
        let orders = board.table("public.orders", "s3://lake/orders");
        orders.cannot_decode();
        orders.restarting("asked for");
        orders.internal_error("internal error");
        orders.stopped(Policy::Stop, "message 4 cannot be decoded");
        board
    }

    #[test]
    fn tables_are_listed_by_name() {
        let tables = board().tables(now());
        let phases: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.phase)).collect();
        assert_eq!(phases, [("public.orders", Phase::Stopped), ("public.users", Phase::Streaming)]);
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
            r#"tributary_lag_bytes{table="public.users"} 256"#,
            r#"tributary_commit_to_kafka_seconds_bucket{le="0.05"} 0"#,
            r#"tributary_commit_to_kafka_seconds_bucket{le="0.1"} 1"#,
            r#"tributary_kafka_to_delta_seconds_bucket{le="0.5",table="public.users"} 0"#,
            r#"tributary_kafka_to_delta_seconds_bucket{le="1.0",table="public.users"} 1"#,
            r#"tributary_lag_seconds{table="public.users"} 1.0"#,
            r#"tributary_rows{table="public.users"} 5"#,
            r#"tributary_table_up{table="public.users"} 1"#,
            r#"tributary_table_failed{table="public.users"} 0"#,
            r#"tributary_table_failed{table="public.orders"} 1"#,
            r#"tributary_commit_stage_seconds_total{table="public.users",stage="write"} 0.03"#,
            r#"tributary_last_commit_timestamp_seconds{table="public.users"} 1000.0"#,
            r#"tributary_conflicts_total{table="public.users"} 1"#,
            r#"tributary_retries_total{table="public.users"} 1"#,
            r#"tributary_skipped_events_total{table="public.users"} 2"#,
            r#"tributary_errors_total{table="public.orders",policy="stop"} 2"#,
            r#"tributary_internal_errors_total{table="public.orders"} 1"#,
            r#"tributary_decode_failures_total{table="public.orders"} 1"#,
            r#"tributary_restarts_total{table="public.orders"} 1"#,
            r#"tributary_held_bytes{table="public.users"} 17"#,
            r#"tributary_files{table="public.users"} 3"#,
            r#"tributary_small_files{table="public.users"} 2"#,
            r#"tributary_index_bytes{table="public.users"} 70"#,
            "process_resident_memory_bytes ",
            "tributary_buffered_bytes_limit 256",
            "tributary_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
