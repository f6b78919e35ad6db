//! What is known of one table, and how that reads from outside. Pure: time comes in.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tributary_crds::TablePhase as Phase;

use super::delivered::Delivered;
use super::lag::Lag;
use super::table_state::TableState;
use crate::change::{OpCounts, PartitionProgress};
use crate::consume::{PartitionRange, Tick};
use crate::table::Committed;

/// Said of a table that nobody compares with its source, although the database is read.
const UNCOMPARED: &str = "an earlier version made this table: it follows its changes and is not compared with its source, so that a \
     change there that no event says is not seen. Have it copied anew once (annotation tributary.dev/resync, or `replicator resync`)";

/// Said of a table whose annotation nobody can follow.
pub(super) const RESYNC_REFUSED: &str = "the annotation tributary.dev/resync asks for a copy anew, and nothing can be copied, because \
     spec.replicator.copy.connections is 0, so that the replicator does not read the database. Set it to 1 or more, or remove the \
     annotation";

/// One commit, as the pipeline reports it.
#[derive(Clone, Copy, Debug)]
pub struct CommitReport<'a> {
    /// What the table says.
    pub committed: &'a Committed,
    /// Applied events by operation.
    pub counts: OpCounts,
    /// How far each partition was applied.
    pub progress: &'a PartitionProgress,
    /// The last row of the table's snapshot has been applied.
    pub snapshot_completed: bool,
    /// `source.ts_ms` of the oldest change that is not a snapshot row.
    pub oldest_change_ts_ms: Option<i64>,
    /// Kafka's time of the oldest message of these changes.
    pub oldest_message_ts_ms: Option<i64>,
    /// `source.ts_ms` of the newest event.
    pub newest_source_ts_ms: Option<i64>,
    /// From the first byte written to the commit's answer.
    pub duration: Duration,
    /// Why it was made then, in one word.
    pub why: &'static str,
}

/// All that is known of one table.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    state: TableState,
    /// Partition → first offset that was not applied.
    applied: BTreeMap<i32, i64>,
    /// Partition → offset after the last message.
    ends: BTreeMap<i32, i64>,
    /// Since it was started, it has been told where its topic ends.
    is_read: bool,
    /// No change of the stream was applied yet.
    snapshot: bool,
    lag: Lag,
    /// How far the source's log had come out when the connector's last tick was read: that of its shadow too.
    delivered: Delivered,
    /// Why the connector's ticks cannot be read.
    ticks_unread: Option<String>,
    /// There is no topic, because nothing has changed since the copy.
    needs_no_topic: bool,
    /// How far the copy of the source's rows is, if the table begins with one.
    copy: Option<CopyStage>,
    /// What is said of a table that could be compared with its source, if nobody knows what was copied.
    uncompared: Option<&'static str>,
    /// Why the source cannot be looked at.
    unseen: Option<String>,
    /// What is said of a copy anew that is wished for while nobody reads the database.
    resync_refused: Option<&'static str>,
    /// How far the shadow is that is to take the place of the table's rows.
    shadow: Option<ShadowStage>,
}

/// How far a shadow is.
#[derive(Clone, Debug)]
struct ShadowStage {
    phase: Phase,
    percent: u8,
    words: String,
}

/// How far a copy is.
#[derive(Clone, Debug, PartialEq)]
enum CopyStage {
    /// So many percent of the rows are copied.
    Copying { percent: u8, words: String },
    /// All are, and the stream has not passed what the copy contains.
    Copied,
    /// It has.
    Passed,
}

impl Knowledge {
    pub(super) fn new(name: &str, target: &str) -> Self {
        let message = Some("starting".to_owned());
        let state = TableState { name: name.into(), target: target.into(), message, ..TableState::default() };
        Self { state, ..Self::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.state.name
    }

    pub(super) fn opened(&mut self, version: u64, rows: u64) {
        self.state.delta_version = Some(version);
        self.state.rows = Some(rows);
    }

    /// It begins again; where its topic ends is not known yet.
    pub(super) fn restarts(&mut self) {
        self.is_read = false;
        self.set_phase(Phase::Waiting, "starting");
    }

    /// Rows may be in other files now; they are the same.
    pub(super) fn maintained(&mut self, version: u64) {
        self.state.delta_version = Some(version);
    }

    pub(super) fn set_phase(&mut self, phase: Phase, message: &str) {
        self.state.phase = phase;
        self.state.message = Some(message.into());
    }

    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        self.state.warnings = warnings;
    }

    pub(super) fn copying(&mut self, percent: u8, words: &str) {
        self.copy = Some(CopyStage::Copying { percent, words: words.to_owned() });
        self.update_phase();
    }

    pub(super) fn copied_anew(&mut self, why: &str) {
        self.copy = Some(CopyStage::Copying { percent: 0, words: format!("the rows are copied anew: {why}") });
        self.lag.forget();
        self.update_phase();
    }

    /// The rows are copied anew beside the old ones, for this reason; `shadow` is how far those are.
    pub(super) fn renewing(&mut self, why: &str, shadow: &TableState) {
        let how = shadow.message.as_deref().unwrap_or("the copy is nearly complete");
        let phase = if shadow.phase == Phase::Streaming { Phase::Snapshotting } else { shadow.phase };
        let words = format!("the rows are copied anew ({why}), readers have the old ones until then: {how}");
        self.shadow = Some(ShadowStage { phase, percent: shadow.snapshot_percent.unwrap_or(100), words });
        self.lag.forget();
        self.update_phase();
    }

    /// They are in the place of the old ones.
    pub(super) fn renewed(&mut self) {
        self.shadow = None;
        self.is_read = false;
    }

    pub(super) fn follows_copy(&mut self, passed: bool) {
        self.copy = Some(if passed { CopyStage::Passed } else { CopyStage::Copied });
        self.update_phase();
    }

    /// What is new about it, if anything is.
    pub(super) fn source_unseen(&mut self, why: Option<&str>) -> Option<String> {
        let is_new = self.unseen.as_deref() != why;
        self.unseen = why.map(str::to_owned);
        if self.unseen.is_some() {
            self.lag.source_at(None);
        }
        self.unseen.clone().filter(|_| is_new)
    }

    /// Whether that is new.
    pub(super) fn resync_refused(&mut self, refused: bool) -> bool {
        let now = refused.then_some(RESYNC_REFUSED);
        std::mem::replace(&mut self.resync_refused, now) != now
    }

    /// Whether it is compared with its source. `source`: the database is read; `known`: it is known what was copied, or will be.
    pub(super) fn compared(&mut self, source: bool, known: bool) {
        self.state.compared = Some(source && known);
        self.uncompared = (source && !known).then_some(UNCOMPARED);
    }

    /// How far the source's log is now.
    pub(super) fn source_at(&mut self, lsn: u64) {
        self.lag.source_at(Some(lsn));
    }

    /// Why the connector's ticks cannot be read, if they cannot.
    pub(super) fn ticks_unread(&mut self, why: Option<String>) {
        self.ticks_unread = why;
    }

    /// Whether it is new that there is no topic. A table that began with a copy needs none before its first change; one that was
    /// read before is gone, perhaps with changes that were not.
    pub(super) fn no_topic(&mut self, what: &str, tick: Option<Tick>) -> bool {
        if self.copy.is_none() || self.applied.values().any(|next| *next > 0) {
            let is_new = self.state.message.as_deref() != Some(what);
            self.set_phase(Phase::Waiting, what);
            return is_new;
        }
        self.needs_no_topic = true;
        // What was said while Kafka did not answer holds no more.
        if self.state.phase == Phase::Waiting {
            self.update_phase();
        }
        if let Some(tick) = tick {
            self.reaches(tick);
        }
        false
    }

    pub(super) fn assigned(&mut self, progress: &PartitionProgress, ranges: &[PartitionRange]) {
        self.ends = ranges.iter().map(|range| (range.partition, range.end)).collect();
        self.is_read = true;
        self.progressed(progress);
        self.snapshot &= self.outstanding() > 0;
        self.update_phase();
    }

    pub(super) fn committed(&mut self, report: &CommitReport<'_>, now: Timestamp) {
        self.opened(report.committed.version, report.committed.rows);
        self.state.commits += 1;
        self.state.last_commit = Some(now);
        let snapshot = self.snapshot;
        self.progressed(report.progress);
        // A commit of nothing but progress says nothing of the snapshot.
        self.snapshot = if report.counts.total() > 0 { self.snapshot && !report.snapshot_completed } else { snapshot };
        self.complete_until(report.newest_source_ts_ms);
        self.update_phase();
    }

    /// Reading is to go on from here.
    pub(super) fn resumes(&mut self, progress: &PartitionProgress) {
        self.applied.extend(progress.iter().map(|(partition, progress)| (*partition, progress.next_offset)));
    }

    /// Everything before these offsets is in the table, although no commit said so.
    pub(super) fn applied(&mut self, progress: &PartitionProgress) {
        self.resumes(progress);
        self.goes_on();
    }

    /// What was tried again has succeeded.
    pub(super) fn goes_on(&mut self) {
        if self.state.phase == Phase::Retrying {
            self.update_phase();
        }
    }

    /// What the broker says of the ends of the partitions.
    pub(super) fn ends(&mut self, ends: impl IntoIterator<Item = (i32, i64)>) {
        self.ends.extend(ends);
    }

    /// The connector sends no ticks. Then the broker is the only one who can say that nothing is missing; of a topic that nothing
    /// was ever read from, it cannot: the connector may not have begun.
    pub(super) fn no_ticks(&mut self, now: Timestamp) {
        let has_read = self.applied.values().any(|next| *next > 0);
        if has_read && self.state.phase == Phase::Streaming && self.outstanding() == 0 {
            self.complete_until(Some(now.as_millisecond()));
        }
    }

    /// The connector had delivered everything up to `tick`; the ends that were told before are not older.
    pub(super) fn tick(&mut self, tick: Tick) {
        self.delivered.set(tick.lsn);
        if self.is_read && !self.ends.is_empty() && self.outstanding() == 0 {
            // The rows of an added table have no last one; and ticks come only when the connector follows changes.
            if self.copy.is_none() && self.state.phase == Phase::Snapshotting {
                self.snapshot = false;
                self.update_phase();
            }
            self.reaches(tick);
        }
    }

    /// How far the source's log had come out by the connector's last tick.
    pub(super) fn delivered(&self) -> Option<u64> {
        self.delivered.get()
    }

    /// What is known of a shadow of the table, which has no ticks of its own.
    pub(super) fn of_shadow(&self) -> Self {
        Self { delivered: self.delivered.clone(), ..Self::new(&self.state.name, &self.state.target) }
    }

    /// The state as it is at `now`.
    pub(super) fn state(&self, now: Timestamp) -> TableState {
        TableState {
            snapshot_percent: (self.state.phase == Phase::Snapshotting).then(|| self.percent()),
            lag_seconds: self.lag.seconds(now),
            lag_bytes: self.lag.bytes(),
            lag_messages: (!self.ends.is_empty() || self.needs_no_topic).then(|| self.outstanding()),
            warnings: self.warnings(),
            ..self.state.clone()
        }
    }

    fn update_phase(&mut self) {
        if let Some(ShadowStage { phase, words, .. }) = &self.shadow {
            (self.state.phase, self.state.message) = (*phase, Some(words.clone()));
            return;
        }
        let (phase, message) = match &self.copy {
            Some(CopyStage::Copying { words, .. }) => (Phase::Snapshotting, Some(words.clone())),
            Some(CopyStage::Copied) => (
                Phase::Snapshotting,
                Some("all rows are copied: the table is complete when the changes from then have been read".to_owned()),
            ),
            None if self.snapshot => (Phase::Snapshotting, None),
            Some(CopyStage::Passed) | None => (Phase::Streaming, None),
        };
        (self.state.phase, self.state.message) = (phase, message);
    }

    fn progressed(&mut self, progress: &PartitionProgress) {
        self.applied(progress);
        let position = progress.values().filter_map(|progress| progress.position).max();
        self.snapshot = position.is_none();
        self.state.position = position.map(|position| position.to_string());
        self.lag.applied(position.map(|position| position.lsn));
    }

    /// Everything before the tick is applied.
    fn reaches(&mut self, tick: Tick) {
        if !self.is_copied() {
            self.lag.tick(tick);
        }
    }

    fn complete_until(&mut self, ts_ms: Option<i64>) {
        if !self.is_copied() {
            self.lag.complete_until(ts_ms);
        }
    }

    /// Rows are being copied, so that the table is not complete.
    fn is_copied(&self) -> bool {
        self.shadow.is_some() || self.copy.as_ref().is_some_and(|copy| *copy != CopyStage::Passed)
    }

    fn warnings(&self) -> Vec<String> {
        let unseen = self.unseen.as_ref().map(|why| unseen(why));
        let ticks_unread = self.ticks_unread.as_ref().map(|why| ticks_unread(why));
        let refused = self.resync_refused.map(str::to_owned);
        let uncompared = self.uncompared.map(str::to_owned);
        self.state.warnings.iter().cloned().chain(refused).chain(uncompared).chain(unseen).chain(ticks_unread).collect()
    }

    fn outstanding(&self) -> u64 {
        let missing = |(partition, end): (&i32, &i64)| (end - self.applied_of(*partition)).max(0) as u64;
        self.ends.iter().map(missing).sum()
    }

    fn applied_of(&self, partition: i32) -> i64 {
        self.applied.get(&partition).copied().unwrap_or(0)
    }

    fn percent(&self) -> u8 {
        if let Some(ShadowStage { percent, .. }) = &self.shadow {
            return *percent;
        }
        match &self.copy {
            Some(CopyStage::Copying { percent, .. }) => return *percent,
            Some(CopyStage::Copied | CopyStage::Passed) => return 100,
            None => {}
        }
        let end: i64 = self.ends.values().sum();
        let applied: i64 = self.ends.iter().map(|(partition, end)| self.applied_of(*partition).min(*end)).sum();
        if end == 0 { 0 } else { (applied.saturating_mul(100) / end) as u8 }
    }
}

fn unseen(why: &str) -> String {
    format!("the source cannot be looked at, so that a change of the table that no event says is not seen: {why}")
}

fn ticks_unread(why: &str) -> String {
    format!("the connector's ticks cannot be read, so that the lag is not known: {why}")
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
