//! What is due. Pure: files and times come in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Job;
use crate::table::data_file::{DataFile, DataFiles};

/// Files of one tier that become one of the next.
const FAN_IN: usize = 16;
/// Most files that are written anew at a time: what has gathered while a large file was written is gone at once.
const AT_ONCE: usize = 512;
/// Size of a file of the lowest tier, in bytes; each tier is [`FAN_IN`] times larger than the one below.
const LOWEST_TIER: u64 = 64 << 10;
/// A file is written anew when this share of its rows is deleted: each such row costs two or three others then.
const DELETED_SHARE: f64 = 0.3;
/// Versions after which the log is checkpointed, at the earliest.
const CHECKPOINT_VERSIONS: u64 = 100;
/// Versions after which it is, at the latest.
const LONGEST_LOG: u64 = 1000;
/// Bytes of a version of the log, about: a checkpoint is due when the log has grown by half of it.
const VERSION_BYTES: u64 = 4 << 10;
/// How soon after the start the log is cleaned and files are vacuumed: processes may not live long.
const FIRST: Duration = Duration::from_mins(10);
/// How long nothing is tried again after a failure.
const REST: Duration = Duration::from_mins(1);

/// What there is to decide on.
pub(super) struct Facts<'a> {
    pub now: Timestamp,
    pub version: u64,
    pub files: &'a DataFiles,
    /// Size at which a data file is large enough.
    pub target_bytes: u64,
    pub history: Duration,
    /// Compaction and vacuum may run now.
    pub allowed: bool,
}

/// What is due, and on what.
#[derive(Debug)]
pub(super) enum Due {
    Compaction(Vec<Arc<DataFile>>),
    Checkpoint,
    LogCleanup,
    Vacuum,
}

/// When things were done last.
#[derive(Debug)]
pub(in crate::table) struct Schedule {
    running: Option<Job>,
    checkpoint_version: u64,
    checkpoint_bytes: u64,
    clean_at: Option<Timestamp>,
    vacuum_at: Option<Timestamp>,
    rest_until: Option<Timestamp>,
}

impl Schedule {
    /// Of a table that was opened at `version`; when it was checkpointed last is not known.
    pub(in crate::table) fn new(version: u64) -> Self {
        // So that tables that are opened again and again are checkpointed all the same.
        let checkpoint_version = version - version % CHECKPOINT_VERSIONS;
        Self {
            running: None,
            checkpoint_version,
            checkpoint_bytes: 0,
            clean_at: None,
            vacuum_at: None,
            rest_until: None,
        }
    }

    /// What comes next. A compaction waits for nothing but those that are overdue.
    pub(super) fn due(&mut self, facts: &Facts<'_>) -> Option<Due> {
        let first = after(facts.now, FIRST.min(interval_of_cleanup(facts.history)));
        let clean_at = *self.clean_at.get_or_insert(first);
        let vacuum_at = *self.vacuum_at.get_or_insert(first);
        if self.running.is_some() || self.rest_until.is_some_and(|until| facts.now < until) {
            return None;
        }
        if self.checkpoint_is_due(facts.version) {
            return Some(Due::Checkpoint);
        }
        if facts.now >= clean_at {
            return Some(Due::LogCleanup);
        }
        if !facts.allowed {
            return None;
        }
        if facts.now >= vacuum_at {
            return Some(Due::Vacuum);
        }
        compaction(facts.files, facts.target_bytes).map(Due::Compaction)
    }

    /// The larger the checkpoint, the more versions it must stand for: so its cost stays a part of the log's.
    fn checkpoint_is_due(&self, version: u64) -> bool {
        let versions = version.saturating_sub(self.checkpoint_version);
        let grown = versions * VERSION_BYTES >= self.checkpoint_bytes / 2;
        versions >= LONGEST_LOG || (versions >= CHECKPOINT_VERSIONS && grown)
    }

    pub(super) fn started(&mut self, job: Job) {
        self.running = Some(job);
    }

    pub(super) fn checkpointed(&mut self, version: u64, bytes: u64) {
        (self.checkpoint_version, self.checkpoint_bytes) = (version, bytes);
    }

    pub(super) fn checkpoint_version(&self) -> u64 {
        self.checkpoint_version
    }

    pub(super) fn finished(&mut self, job: Job, now: Timestamp, well: bool, history: Duration) {
        self.running = None;
        self.rest_until = (!well).then(|| after(now, REST));
        match job {
            Job::LogCleanup if well => self.clean_at = Some(after(now, interval_of_cleanup(history))),
            Job::Vacuum if well => self.vacuum_at = Some(after(now, interval_of_vacuum(history))),
            _ => {}
        }
    }
}

/// Often enough that the log is little longer than the history asks.
fn interval_of_cleanup(history: Duration) -> Duration {
    (history / 24).clamp(Duration::from_mins(1), Duration::from_hours(1))
}

/// A vacuum lists the whole table.
fn interval_of_vacuum(history: Duration) -> Duration {
    (history / 7).clamp(Duration::from_mins(1), Duration::from_hours(24))
}

fn after(now: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// The files that are written anew next: those of the lowest tier that is full, or else the one that is most worn.
pub(super) fn compaction(files: &DataFiles, target: u64) -> Option<Vec<Arc<DataFile>>> {
    let full = tiers(files, target).into_values().find(|tier| tier.len() >= FAN_IN);
    full.map(|tier| bounded(tier, target)).or_else(|| {
        let wear = files.iter().map(|(_, file)| (wear(file), file));
        let worst = wear.filter(|(wear, _)| *wear >= 1.0).max_by(|left, right| left.0.total_cmp(&right.0));
        worst.map(|(_, file)| vec![Arc::clone(file)])
    })
}

/// From 1 on, writing the file anew pays: for its readers, who skip what is deleted, or for the writer, to whom its
/// deletion vectors have cost as much. So vectors never cost more than twice what they would have to.
fn wear(file: &DataFile) -> f64 {
    let writing = live_bytes(file).max(LOWEST_TIER) as f64;
    (file.deleted_share() / DELETED_SHARE).max(file.vector_bytes as f64 / writing)
}

/// Files that gain by being written anew, however few they are.
pub(super) fn any_compaction(files: &DataFiles, target: u64) -> Option<Vec<Arc<DataFile>>> {
    let mut by_partition: BTreeMap<_, Vec<Arc<DataFile>>> = BTreeMap::new();
    for (_, file) in files.iter().filter(|(_, file)| live_bytes(file) < target / 2) {
        by_partition.entry(&file.add.partition_values).or_default().push(Arc::clone(file));
    }
    let small = by_partition.into_values().find(|files| files.len() > 1);
    small.map(|files| bounded(files, target)).filter(|files| files.len() > 1).or_else(|| {
        let worn = files.iter().find(|(_, file)| file.deleted_share() >= DELETED_SHARE / 3.0);
        worn.map(|(_, file)| vec![Arc::clone(file)])
    })
}

/// Small files by tier and partition, the lowest tier first.
fn tiers(files: &DataFiles, target: u64) -> BTreeMap<(u32, String), Vec<Arc<DataFile>>> {
    let mut tiers: BTreeMap<_, Vec<Arc<DataFile>>> = BTreeMap::new();
    for (_, file) in files.iter() {
        let bytes = live_bytes(file);
        if bytes < target / 2 {
            let tier = (bytes / LOWEST_TIER).checked_ilog(FAN_IN as u64).map_or(0, |tier| tier + 1);
            let partition = format!("{:?}", file.add.partition_values);
            tiers.entry((tier, partition)).or_default().push(Arc::clone(file));
        }
    }
    tiers
}

/// The oldest of `files` that make up one file of the target size.
fn bounded(files: Vec<Arc<DataFile>>, target: u64) -> Vec<Arc<DataFile>> {
    let mut bytes = 0;
    let within = files.into_iter().take(AT_ONCE).take_while(|file| {
        let fits = bytes < target;
        bytes += live_bytes(file);
        fits
    });
    within.collect()
}

/// Bytes of a file that its live rows account for.
fn live_bytes(file: &DataFile) -> u64 {
    (file.add.size as f64 * (1.0 - file.deleted_share())) as u64
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
