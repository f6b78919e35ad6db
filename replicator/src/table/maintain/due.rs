//! What is due. Pure: files and times come in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Job, Lane};
use crate::table::data_file::{DataFile, DataFiles, FileId};

/// Files of one tier that become one of the next.
const FAN_IN: usize = 16;
/// Most files that are written anew at a time: what has gathered while a large file was written is gone at once.
const AT_ONCE: usize = 512;
/// Files of the lowest tier are smaller than this part of the target (64 KiB, of 128 MiB); each tier is [`FAN_IN`] times
/// larger than the one below.
const LOWEST_TIER: u64 = 2048;
/// Files that are written anew in moments make up this part of the target, at most (4 MiB).
const SHORT: u64 = 32;
/// A file is written anew when this share of its rows is deleted: each such row costs two or three others then.
const DELETED_SHARE: f64 = 0.3;
/// How long a file stays worn before it is written anew: where rows change fast, all of it is deleted by then.
const WORN_FOR: Duration = Duration::from_mins(1);
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

impl Due {
    pub(super) fn job(&self) -> Job {
        match self {
            Self::Compaction(_) => Job::Compaction,
            Self::Checkpoint => Job::Checkpoint,
            Self::LogCleanup => Job::LogCleanup,
            Self::Vacuum => Job::Vacuum,
        }
    }

    /// Where it is done.
    pub(super) fn lane(&self, target: u64) -> Lane {
        match self {
            Self::Checkpoint | Self::LogCleanup => Lane::Log,
            Self::Compaction(sources) => {
                let bytes: u64 = sources.iter().map(|file| live_bytes(file)).sum();
                if bytes <= target / SHORT { Lane::Short } else { Lane::Long }
            }
            Self::Vacuum => Lane::Long,
        }
    }
}

/// What is being done in a lane.
#[derive(Debug)]
struct Running {
    job: Job,
    /// Data files that it replaces.
    paths: HashSet<String>,
}

/// What is being done, and when things were done last.
#[derive(Debug)]
pub(in crate::table) struct Schedule {
    running: HashMap<Lane, Running>,
    worn_since: HashMap<FileId, Timestamp>,
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
            running: HashMap::new(),
            worn_since: HashMap::new(),
            checkpoint_version,
            checkpoint_bytes: 0,
            clean_at: None,
            vacuum_at: None,
            rest_until: None,
        }
    }

    /// What comes next, one thing a lane. A compaction waits for nothing but those that are overdue.
    pub(super) fn due(&mut self, facts: &Facts<'_>) -> Option<Due> {
        let first = after(facts.now, FIRST.min(interval_of_cleanup(facts.history)));
        let clean_at = *self.clean_at.get_or_insert(first);
        let vacuum_at = *self.vacuum_at.get_or_insert(first);
        self.note_worn(facts);
        if self.rest_until.is_some_and(|until| facts.now < until) {
            return None;
        }
        if self.is_free(Lane::Log) && self.checkpoint_is_due(facts.version) {
            return Some(Due::Checkpoint);
        }
        if self.is_free(Lane::Log) && facts.now >= clean_at {
            return Some(Due::LogCleanup);
        }
        if !facts.allowed {
            return None;
        }
        if self.is_free(Lane::Long) && facts.now >= vacuum_at {
            // A file that is being written is in no version yet, and would be taken for a left-over if that takes longer
            // than the history. Files that are begun later are newer than what a vacuum removes.
            return self.is_free(Lane::Short).then_some(Due::Vacuum);
        }
        self.compaction(facts)
    }

    /// The first compaction for which a lane is free: a full tier, the lowest first, or else the file that is most worn.
    fn compaction(&self, facts: &Facts<'_>) -> Option<Due> {
        let target = facts.target_bytes;
        let idle: Vec<_> = facts.files.iter().filter(|(_, file)| !self.is_being_replaced(file)).collect();
        let full = full_tiers(idle.iter().map(|(_, file)| *file), target);
        let is_long_worn = |id| self.worn_since.get(id).is_some_and(|since| after(*since, WORN_FOR) <= facts.now);
        let worn = most_worn(idle.iter().filter(|(id, _)| is_long_worn(id)).map(|(_, file)| *file), target);
        let all = full.into_iter().chain(worn).map(Due::Compaction);
        all.into_iter().find(|due| self.is_free(due.lane(target)))
    }

    fn note_worn(&mut self, facts: &Facts<'_>) {
        let worn = facts.files.iter().filter(|(_, file)| wear(file, facts.target_bytes) >= 1.0);
        let since = |id| self.worn_since.get(&id).copied().unwrap_or(facts.now);
        self.worn_since = worn.map(|(id, _)| (id, since(id))).collect();
    }

    fn is_free(&self, lane: Lane) -> bool {
        !self.running.contains_key(&lane)
    }

    fn is_being_replaced(&self, file: &DataFile) -> bool {
        self.running.values().any(|running| running.paths.contains(&file.add.path))
    }

    /// The larger the checkpoint, the more versions it must stand for: so its cost stays a part of the log's.
    fn checkpoint_is_due(&self, version: u64) -> bool {
        let versions = version.saturating_sub(self.checkpoint_version);
        let grown = versions * VERSION_BYTES >= self.checkpoint_bytes / 2;
        versions >= LONGEST_LOG || (versions >= CHECKPOINT_VERSIONS && grown)
    }

    pub(super) fn started(&mut self, due: &Due, lane: Lane) {
        let paths = match due {
            Due::Compaction(sources) => sources.iter().map(|file| file.add.path.clone()).collect(),
            _ => HashSet::new(),
        };
        self.running.insert(lane, Running { job: due.job(), paths });
    }

    pub(super) fn checkpointed(&mut self, version: u64, bytes: u64) {
        (self.checkpoint_version, self.checkpoint_bytes) = (version, bytes);
    }

    pub(super) fn checkpoint_version(&self) -> u64 {
        self.checkpoint_version
    }

    pub(super) fn finished(&mut self, lane: Lane, now: Timestamp, well: bool, history: Duration) {
        let finished = self.running.remove(&lane);
        if !well {
            self.rest_until = Some(after(now, REST));
        }
        match finished.map(|running| running.job) {
            Some(Job::LogCleanup) if well => self.clean_at = Some(after(now, interval_of_cleanup(history))),
            Some(Job::Vacuum) if well => self.vacuum_at = Some(after(now, interval_of_vacuum(history))),
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

/// The tiers that are full, the lowest first.
fn full_tiers<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>, target: u64) -> Vec<Vec<Arc<DataFile>>> {
    let full = tiers(files, target).into_values().filter(|tier| tier.len() >= FAN_IN);
    full.map(|tier| bounded(tier, target)).collect()
}

/// The file that gains most by being written anew alone.
fn most_worn<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>, target: u64) -> Option<Vec<Arc<DataFile>>> {
    let worn = files.map(|file| (wear(file, target), file)).filter(|(wear, _)| *wear >= 1.0);
    worn.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, file)| vec![Arc::clone(file)])
}

/// From 1 on, writing the file anew pays: for its readers, who skip what is deleted, or for the writer, to whom its
/// deletion vectors have cost as much. So vectors never cost more than twice what they would have to. The smallest files
/// are left to their tier: they are soon written anew anyway, and requests cost more than their bytes.
fn wear(file: &DataFile, target: u64) -> f64 {
    let bytes = live_bytes(file);
    if file.add.size.unsigned_abs() < target / LOWEST_TIER {
        return 0.0;
    }
    (file.deleted_share() / DELETED_SHARE).max(file.vector_bytes as f64 / bytes.max(1) as f64)
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
fn tiers<'a>(
    files: impl Iterator<Item = &'a Arc<DataFile>>,
    target: u64,
) -> BTreeMap<(u32, String), Vec<Arc<DataFile>>> {
    let mut tiers: BTreeMap<_, Vec<Arc<DataFile>>> = BTreeMap::new();
    for file in files {
        let bytes = live_bytes(file);
        if bytes < target / 2 {
            let tier = (bytes / (target / LOWEST_TIER).max(1)).checked_ilog(FAN_IN as u64).map_or(0, |tier| tier + 1);
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
