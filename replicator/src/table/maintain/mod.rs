//! What keeps a table small, beside the writing: compaction, checkpoints, clean-up of the log, vacuum.
//!
//! [`KeyedTable::maintenance`] says what is due, [`Work::run`] does it on what the table was then while commits go on, and
//! [`KeyedTable::finish`] lands it between two of them. The task that writes does it all, so that it never conflicts.

mod checkpoint;
mod clean_log;
mod compaction;
mod due;
mod settings;
pub(super) mod tombstones;
pub(super) mod vacuum;

use jiff::Timestamp;

use super::context::Context;
use super::data_file::DataFiles;
use super::{KeyedTable, TableError};
use compaction::Compacted;
use due::{Due, Facts};

pub(super) use due::Schedule;
pub use settings::{Maintenance, Window};

/// A kind of maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Small files become larger ones, and files with many deleted rows are written anew.
    Compaction,
    /// The log up to now in one file.
    Checkpoint,
    /// Versions of the log that are older than the history leave it.
    LogCleanup,
    /// Files that no version of the history needs leave the storage.
    Vacuum,
}

impl Job {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compaction => "compaction",
            Self::Checkpoint => "checkpoint",
            Self::LogCleanup => "log clean-up",
            Self::Vacuum => "vacuum",
        }
    }
}

/// One thing is done in each lane at a time; so small files wait neither for large ones nor for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Checkpoints and clean-up of the log.
    Log,
    /// Compactions of few bytes: done in moments.
    Short,
    /// Large compactions and vacuum: they take as long as the table is large.
    Long,
}

/// Maintenance that is due, on the table as it is now.
pub struct Work {
    job: Job,
    lane: Lane,
    context: Context,
    input: Input,
}

enum Input {
    Compaction { columns: super::Columns, sources: Vec<std::sync::Arc<super::data_file::DataFile>> },
    Checkpoint { version: u64 },
    LogCleanup { now: Timestamp },
    Vacuum { now: Timestamp, version: u64, files: DataFiles },
}

/// Maintenance that was done, or failed.
pub struct Done {
    job: Job,
    lane: Lane,
    outcome: Result<Outcome, TableError>,
}

enum Outcome {
    Compacted(Compacted),
    Checkpointed { version: u64, bytes: u64 },
    Removed { objects: usize },
}

/// What maintenance did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintained {
    /// What was done.
    pub job: Job,
    /// Files that were replaced (compaction) or objects that were removed (clean-up, vacuum).
    pub removed: usize,
    /// Files that were written.
    pub written: usize,
    /// Their bytes.
    pub bytes_written: u64,
}

impl Work {
    /// What is to be done.
    pub fn job(&self) -> Job {
        self.job
    }

    /// Where it is done.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Does it, except for what has to land in the log.
    pub async fn run(self) -> Done {
        let context = self.context;
        let outcome = match self.input {
            Input::Compaction { columns, sources } => {
                compaction::run(&context, &columns, sources).await.map(Outcome::Compacted)
            }
            Input::Checkpoint { version } => {
                checkpoint::run(&context, version).await.map(|bytes| Outcome::Checkpointed { version, bytes })
            }
            Input::LogCleanup { now } => {
                clean_log::run(&context, now).await.map(|objects| Outcome::Removed { objects })
            }
            Input::Vacuum { now, version, files } => {
                vacuum::run(&context, now, version, &files).await.map(|objects| Outcome::Removed { objects })
            }
        };
        Done { job: self.job, lane: self.lane, outcome }
    }
}

impl Done {
    /// What was to be done.
    pub fn job(&self) -> Job {
        self.job
    }
}

impl KeyedTable {
    /// What is due at `now`, if anything is; one thing a lane at a time, and nothing while a commit has not landed. Compaction
    /// and vacuum only in the windows of the resource.
    pub fn maintenance(&mut self, now: Timestamp) -> Option<Work> {
        if self.pending.is_some() {
            return None;
        }
        let maintenance = &self.context.spec.maintenance;
        let facts = Facts {
            now,
            version: self.state.version,
            files: &self.state.files,
            target_bytes: maintenance.target_file_bytes,
            history: maintenance.history,
            allowed: maintenance.allowed(now),
        };
        let due = self.schedule.due(&facts)?;
        Some(self.work(due, now))
    }

    fn work(&mut self, due: Due, now: Timestamp) -> Work {
        let (job, lane) = (due.job(), due.lane(self.context.spec.maintenance.target_file_bytes));
        self.schedule.started(&due, lane);
        let (version, files) = (self.state.version, &self.state.files);
        let input = match due {
            Due::Compaction(sources) => Input::Compaction { columns: self.state.columns.clone(), sources },
            Due::Checkpoint => Input::Checkpoint { version },
            Due::LogCleanup => Input::LogCleanup { now },
            Due::Vacuum => Input::Vacuum { now, version, files: files.clone() },
        };
        Work { job, lane, context: self.context.clone(), input }
    }

    /// All that can be done now, whether or not it is due: what `replicator maintain` does.
    pub async fn maintain(&mut self, now: Timestamp) -> Result<Vec<Maintained>, TableError> {
        let mut maintained = Vec::new();
        while let Some(sources) =
            due::any_compaction(&self.state.files, self.context.spec.maintenance.target_file_bytes)
        {
            let done = self.work(Due::Compaction(sources), now).run().await;
            maintained.push(self.finish(done, now).await?);
        }
        for due in [Due::Checkpoint, Due::LogCleanup, Due::Vacuum] {
            let done = self.work(due, now).run().await;
            maintained.push(self.finish(done, now).await?);
        }
        Ok(maintained)
    }

    /// Lands what was done. After an error it is tried again when it is due again; the table is as it was.
    pub async fn finish(&mut self, done: Done, now: Timestamp) -> Result<Maintained, TableError> {
        let Done { job, lane, outcome } = done;
        let finished = match outcome {
            Ok(Outcome::Compacted(compacted)) => Box::pin(self.land_compaction(compacted)).await,
            Ok(Outcome::Checkpointed { version, bytes }) => {
                self.schedule.checkpointed(version, bytes);
                Ok(Maintained { job, removed: 0, written: 1, bytes_written: bytes })
            }
            Ok(Outcome::Removed { objects }) => Ok(Maintained { job, removed: objects, written: 0, bytes_written: 0 }),
            Err(error) => Err(error),
        };
        let history = self.context.spec.maintenance.history;
        self.schedule.finished(lane, now, finished.is_ok(), history);
        finished
    }

    /// The table in numbers.
    pub fn stats(&self) -> TableStats {
        let files = || self.state.files.iter().map(|(_, file)| file);
        let target = self.context.spec.maintenance.target_file_bytes as i64;
        TableStats {
            files: files().count(),
            small_files: files().filter(|file| file.add.size < target / 2).count(),
            rows: self.state.files.rows(),
            deleted_rows: files().map(|file| file.deleted.len()).sum(),
            data_bytes: files().map(|file| file.add.size as u64).sum(),
            log_versions: self.state.version - self.schedule.checkpoint_version(),
            index_bytes: files().map(|file| file.keys.stored_bytes()).sum(),
            index_memory_bytes: files().map(|file| file.keys.memory_bytes() as u64).sum(),
        }
    }
}

/// A table in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Live data files.
    pub files: usize,
    /// Those that have less than half of the target size.
    pub small_files: usize,
    /// Live rows.
    pub rows: u64,
    /// Rows of live files that are deleted.
    pub deleted_rows: u64,
    /// Bytes of the live data files.
    pub data_bytes: u64,
    /// Versions of the log since its last checkpoint.
    pub log_versions: u64,
    /// Bytes of the key index.
    pub index_bytes: u64,
    /// Those of them that are in memory.
    pub index_memory_bytes: u64,
}
