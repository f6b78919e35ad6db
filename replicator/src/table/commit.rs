//! One commit: new rows, deletion vectors, new columns and progress land together or not at all.
//!
//! Plan a [`Change`], land it, adopt it. What was written is kept until the commit's fate is known, so that another
//! attempt puts the same files and, as long as nobody else commits, the same bytes.

use std::time::{Duration, Instant};

use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::change::{Change, Commit, Removal, WrittenFile};
use super::columns::Columns;
use super::log::{Landing, Metadata, Protocol};
use super::new_files::sorted_keys;
use super::rewrite;
use super::{KeyedTable, TableError, Writes, create, deletion_vector, index, progress, protocol};
use crate::change::{Folded, KeyHash, PartitionProgress};

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Version of the Delta table.
    pub version: u64,
    /// Live rows after the commit.
    pub rows: u64,
    /// Live data files after the commit.
    pub files: usize,
    /// Files written: data and deletion vectors.
    pub files_written: usize,
    /// Bytes written: data, deletion vectors and log.
    pub bytes_written: u64,
    /// Commits of others that came first, and on top of which this one was planned again.
    pub conflicts: u32,
    /// How long each part of it took.
    pub stages: Stages,
}

/// How long each part of a commit took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Finding the rows that go, beside reading and writing.
    pub locate: Duration,
    /// Reading values that events left out.
    pub read: Duration,
    /// Writing data files and their keys.
    pub write: Duration,
    /// Writing deletion vectors and the log.
    pub put: Duration,
}

/// What a commit is to do.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub folded: &'a Folded,
    pub progress: &'a PartitionProgress,
    /// What the log says of the copy from then on, if that changes.
    pub copy: Option<&'a str>,
    /// New rows that are in files already.
    pub files: Option<&'a [WrittenFile]>,
    /// Other columns, of a table that is emptied.
    pub columns: Option<&'a Columns>,
}

impl<'a> Task<'a> {
    /// Applies `folded` and moves the progress.
    pub(super) fn of(folded: &'a Folded, progress: &'a PartitionProgress) -> Self {
        Self { folded, progress, copy: None, files: None, columns: None }
    }
}

/// A commit that has not landed yet, as far as is known.
pub(super) struct Pending {
    progress: PartitionProgress,
    copy: Option<String>,
    id: Uuid,
    written: Option<Vec<WrittenFile>>,
    /// What the commit takes away, by a version of the table.
    removal: Option<(u64, Removal)>,
    attempt: Option<Attempt>,
    report: Committed,
}

struct Attempt {
    commit: Commit,
    /// Files that only this attempt needs.
    own: Vec<String>,
}

impl Pending {
    fn new(task: &Task<'_>) -> Self {
        Self {
            progress: task.progress.clone(),
            copy: task.copy.map(str::to_owned),
            id: Uuid::new_v4(),
            written: task.files.map(<[_]>::to_vec),
            removal: None,
            attempt: None,
            report: Committed::default(),
        }
    }

    /// Paths of everything that was written for it.
    fn files(&self) -> Vec<String> {
        let written = self.written.iter().flatten().map(|file| file.add.path.clone());
        let own = self.attempt.iter().flat_map(|attempt| attempt.own.clone());
        written.chain(own).collect()
    }
}

impl KeyedTable {
    /// Applies `folded` and moves the progress to `progress`, exactly once. Nothing folded: the progress alone moves.
    ///
    /// After a transient error, call it again with the same arguments: the commit may still land, and is known by its
    /// identity then.
    pub async fn commit(&mut self, folded: &Folded, progress: &PartitionProgress) -> Result<Committed, TableError> {
        self.refuse_step_back(progress)?;
        // What is to be said of the copy may have changed since the last attempt: the next commit says that.
        let copy = match &self.pending {
            Some(pending) => pending.copy.clone(),
            None => self.copy.clone(),
        };
        self.commit_task(Task { copy: copy.as_deref(), ..Task::of(folded, progress) }).await
    }

    pub(super) async fn commit_task(&mut self, task: Task<'_>) -> Result<Committed, TableError> {
        let mut pending = match self.pending.take() {
            Some(pending) if pending.progress == *task.progress && pending.copy.as_deref() == task.copy => pending,
            Some(_) => return Err(TableError::Internal("another commit before the last one has landed".to_owned())),
            None => Pending::new(&task),
        };
        let result = Box::pin(self.commit_pending(task, &mut pending)).await;
        match &result {
            Ok(_) => {
                self.grown = None;
                self.copy.take_if(|copy| task.copy == Some(copy));
            }
            // While its fate is not known, the log may name its files.
            Err(error) if error.is_transient() || pending.attempt.is_some() => self.pending = Some(pending),
            Err(_) => self.context.discard(pending.files()).await,
        }
        result
    }

    async fn commit_pending(&mut self, task: Task<'_>, pending: &mut Pending) -> Result<Committed, TableError> {
        if pending.written.is_none() {
            let folded = task.folded;
            let keys = sorted_keys(folded);
            // Neither needs the other, and both take most of a commit. Looking up goes on on other threads while this one
            // writes, so it has to begin first.
            let (removal, written) = tokio::join!(self.removal(folded, &keys), self.write(folded, &keys, pending.id));
            let (files, report) = written?;
            (pending.written, pending.report) = (Some(files), report);
            let (removal, locate) = removal?;
            pending.removal = Some((self.state.version, removal));
            pending.report.stages.locate = locate;
        }
        loop {
            let attempt = match pending.attempt.take() {
                Some(attempt) => attempt,
                None => self.attempt(task, pending).await?,
            };
            let started = Instant::now();
            let Commit { id, entry, bytes, .. } = &attempt.commit;
            let landing = self.context.log.land(entry.version, id, bytes.clone()).await;
            pending.report.stages.put += started.elapsed();
            match landing {
                Ok(Landing::Landed) => {
                    pending.report.bytes_written += bytes.len() as u64;
                    // The table has these files now, whatever happens from here on.
                    pending.written = None;
                    self.adopt_own(attempt.commit).await?;
                    return Ok(self.committed(pending.report));
                }
                Ok(Landing::Taken(entry)) => {
                    // It will never land: its version is somebody else's.
                    self.context.discard(attempt.own).await;
                    if self.take_in(*entry, &task).await? {
                        self.context.discard(pending.files()).await;
                        return Ok(self.committed(pending.report));
                    }
                    pending.report.conflicts += 1;
                }
                Err(error) => {
                    pending.attempt = Some(attempt);
                    return Err(self.context.storage("commit to")(error));
                }
            }
        }
    }

    fn committed(&self, report: Committed) -> Committed {
        Committed { version: self.version(), rows: self.rows(), files: self.files(), ..report }
    }

    /// Plans the commit on top of the present version, and writes what only this plan needs.
    async fn attempt(&self, task: Task<'_>, pending: &mut Pending) -> Result<Attempt, TableError> {
        let current = pending.removal.take().filter(|(version, _)| *version == self.state.version);
        let removal = if let Some((_, removal)) = current {
            removal
        } else {
            let (removal, locate) = self.removal(task.folded, &sorted_keys(task.folded)).await?;
            pending.report.stages.locate += locate;
            removal
        };
        let started = Instant::now();
        let mut change = Change {
            operation: if task.files.is_some() { "WRITE" } else { "MERGE" },
            // A copy applies no offsets.
            details: if task.files.is_some() { Map::new() } else { self.offsets(&pending.progress) },
            changes_data: true,
            txns: progress::txns(&self.context.spec.topic, &pending.progress),
            added: pending.written.clone().unwrap_or_default(),
            removed: removal.emptied,
            other_columns: task.columns.is_some(),
            ..Change::default()
        };
        (change.protocol, change.metadata) = self.wider(&task)?;
        let mut own = Vec::new();
        match self.context.spec.writes {
            Writes::DeletionVectors if !removal.shrunk.is_empty() => {
                let vectors = deletion_vector::pack(removal.shrunk.iter().map(|(_, deleted)| deleted), Uuid::new_v4());
                let vectors = vectors.map_err(TableError::log("write a deletion vector of", &self.context.uri))?;
                own.push(vectors.path.to_string());
                pending.report.files_written += 1;
                pending.report.bytes_written += vectors.bytes.len() as u64;
                let put = self.context.store.put(&vectors.path, PutPayload::from(vectors.bytes)).await;
                put.map_err(self.context.storage("write"))?;
                let shrunk = removal.shrunk.into_iter().zip(vectors.descriptors);
                change.shrunk = shrunk.map(|((file, deleted), vector)| (file, vector, deleted)).collect();
            }
            Writes::DeletionVectors => {}
            Writes::CopyOnWrite => {
                for (file, deleted) in removal.shrunk {
                    let written = rewrite::without(&self.context, &self.state.columns, &file, &deleted).await?;
                    own.push(written.add.path.clone());
                    pending.report.files_written += 1;
                    pending.report.bytes_written += written.add.size as u64;
                    change.added.push(written);
                    change.removed.push(file);
                }
            }
        }
        let commit = change.commit(self.state.version, self.context.removed_at())?;
        pending.report.stages.put += started.elapsed();
        Ok(Attempt { commit, own })
    }

    /// Finds the rows that the keys of the commit have now, and how long that took. `keys`: the sorted ones of new rows.
    async fn removal(&self, folded: &Folded, keys: &[(KeyHash, u32)]) -> Result<(Removal, Duration), TableError> {
        let started = Instant::now();
        if folded.truncate {
            return Ok((Removal::of_all(&self.state.files), started.elapsed()));
        }
        let mut sorted: Vec<KeyHash> = folded.deleted().collect();
        sorted.sort_unstable();
        sorted.extend(keys.iter().map(|(key, _)| *key));
        // Two ascending runs become one.
        sorted.sort();
        let located = index::locate(&self.context, &self.state.files, sorted).await?;
        let removal = Removal::of_rows(&self.state.files, located.into_iter().flatten());
        Ok((removal, started.elapsed()))
    }

    /// Protocol and metadata of a table that gets more columns, or other ones, or properties.
    fn wider(&self, task: &Task<'_>) -> Result<(Option<Protocol>, Option<Metadata>), TableError> {
        let (spec, state) = (&self.context.spec, &self.state);
        let columns = task.columns.unwrap_or(self.columns());
        let mut metadata = match (task.columns, &self.grown) {
            (Some(columns), _) => create::with_schema(&state.metadata, columns, spec)?,
            (None, Some(grown)) => {
                let grown = state.columns.with_columns_of(grown)?;
                if grown == state.columns {
                    state.metadata.clone()
                } else {
                    create::with_columns(&state.metadata, &grown)?
                }
            }
            (None, None) => state.metadata.clone(),
        };
        if let Some(with_properties) = create::with_properties(&metadata, spec, columns) {
            metadata = with_properties;
        }
        if let Some(copy) = task.copy {
            metadata.configuration.insert(create::COPY.to_owned(), copy.to_owned());
        }
        let features = protocol::features(spec.writes, columns.has_timestamp_ntz()?);
        Ok((protocol::with(&state.protocol, features), (metadata != state.metadata).then_some(metadata)))
    }

    fn offsets(&self, progress: &PartitionProgress) -> Map<String, Value> {
        let offsets = progress.iter().map(|(partition, to)| {
            let from = self.state.progress.get(partition).map_or(0, |from| from.next_offset);
            (partition.to_string(), json!([from, to.next_offset]))
        });
        let offsets: Map<_, _> = offsets.collect();
        Map::from_iter([("tributary.offsets".to_owned(), offsets.into())])
    }
}
