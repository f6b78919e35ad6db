//! The board on which every table's task writes how it is going, and which HTTP, logs and metrics read.

mod copy;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::{debug, error, info, warn};
use tributary_crds::TablePhase as Phase;

use super::metrics::Metrics;
use super::state::{CommitReport, Knowledge};
use super::summary::Summary;
use super::table_state::TableState;
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

    /// The place of a table that is on the board.
    pub fn find(&self, name: &str) -> Option<TableHandle> {
        let table = lock(&self.shared.tables).get(name).map(Arc::clone)?;
        Some(TableHandle { table, board: self.clone() })
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
        entry.knowledge.restarts();
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
        entry.knowledge.set_phase(Phase::Waiting, what);
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
        entry.knowledge.set_phase(Phase::Retrying, why);
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
        entry.knowledge.set_phase(Phase::Stopped, why);
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
        Self::of(Knowledge::new(name, target))
    }

    fn of(knowledge: Knowledge) -> Self {
        Self { knowledge, told: None, share: None }
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
mod tests;
