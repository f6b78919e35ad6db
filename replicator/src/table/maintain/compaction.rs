//! Data files written anew while commits go on. Rows that are deleted meanwhile are found again in the new files by their
//! rank: the order of the live rows is known.

use std::sync::Arc;

use object_store::{ObjectStoreExt, PutPayload};
use roaring::RoaringTreemap;
use uuid::Uuid;

use super::{Job, Maintained};
use crate::change::Folded;
use crate::table::change::{Change, Commit, WrittenFile};
use crate::table::columns::Columns;
use crate::table::commit::Task;
use crate::table::context::Context;
use crate::table::data_file::{DataFile, DataFiles};
use crate::table::log::Landing;
use crate::table::rewrite::{self, Origins, Rewritten};
use crate::table::{KeyedTable, TableError, deletion_vector};

/// Commits of others that may come first before a compaction is given up.
const ATTEMPTS: usize = 5;

/// Files that were written anew, and what they are to replace.
pub(super) struct Compacted {
    /// As they were when it began.
    sources: Vec<Arc<DataFile>>,
    outputs: Vec<Rewritten>,
}

/// Writes the live rows of `sources` into new files.
pub(super) async fn run(
    context: &Context,
    columns: &Columns,
    sources: Vec<Arc<DataFile>>,
) -> Result<Compacted, TableError> {
    let outputs = rewrite::together(context, columns, &sources).await?;
    Ok(Compacted { sources, outputs })
}

impl KeyedTable {
    /// Puts the new files in the place of the old ones. On an error nothing is removed: the commit may still land, and is
    /// taken in then as one of somebody else.
    pub(super) async fn land_compaction(&mut self, compacted: Compacted) -> Result<Maintained, TableError> {
        // What became of a commit of our own must be known first.
        let attempts = if self.pending.is_some() { 0 } else { ATTEMPTS };
        for _ in 0..attempts {
            let Some((commit, own)) = self.plan_compaction(&compacted).await? else { break };
            let bytes_written = commit.entry.adds.iter().map(|add| add.size as u64).sum();
            let (removed, written) = (commit.entry.removes.len(), commit.entry.adds.len());
            let landing = self.context.log.land(commit.entry.version, &commit.id, commit.bytes.clone()).await;
            match landing.map_err(self.context.storage("compact"))? {
                Landing::Landed => {
                    self.discard_unused(&compacted, &commit).await;
                    self.adopt_own(commit).await?;
                    return Ok(Maintained { job: Job::Compaction, removed, written, bytes_written });
                }
                Landing::Taken(entry) => {
                    self.context.discard(own.into_iter().collect()).await;
                    let progress = self.state.progress.clone();
                    let nothing = Folded::empty(Arc::clone(self.state.columns.arrow()));
                    self.take_in(*entry, &Task::of(&nothing, &progress)).await?;
                }
            }
        }
        self.discard(compacted.outputs.iter().map(|output| &output.file).collect()).await;
        Ok(Maintained { job: Job::Compaction, removed: 0, written: 0, bytes_written: 0 })
    }

    /// The commit on top of the present version, and the file that only it needs; `None` when no row is left to move.
    async fn plan_compaction(&self, compacted: &Compacted) -> Result<Option<(Commit, Option<String>)>, TableError> {
        let gone = gone_meanwhile(&self.state.files, &compacted.sources);
        let deleted: Vec<_> = compacted.outputs.iter().map(|output| deleted_rows(output, &gone)).collect();
        let outputs = || compacted.outputs.iter().zip(&deleted);
        let live = outputs().filter(|(output, deleted)| deleted.len() < output.file.keys.rows());
        let mut change = Change {
            operation: "OPTIMIZE",
            added: live.clone().map(|(output, _)| output.file.clone()).collect(),
            ..Change::default()
        };
        let current = compacted.sources.iter().filter_map(|source| self.state.files.by_path(&source.add.path));
        change.removed = current.map(|(_, file)| Arc::clone(file)).collect();
        if change.removed.is_empty() {
            return Ok(None);
        }
        let shrunk: Vec<_> = live.filter(|(_, deleted)| !deleted.is_empty()).collect();
        let mut own = None;
        if !shrunk.is_empty() {
            let vectors = deletion_vector::pack(shrunk.iter().map(|(_, deleted)| *deleted), Uuid::new_v4());
            let vectors = vectors.map_err(TableError::log("write a deletion vector of", &self.context.uri))?;
            let put = self.context.store.put(&vectors.path, PutPayload::from(vectors.bytes)).await;
            put.map_err(self.context.storage("compact"))?;
            own = Some(vectors.path.to_string());
            let parts = shrunk.into_iter().zip(vectors.descriptors);
            change.added_deleted = parts
                .map(|((output, deleted), vector)| (output.file.add.path.clone(), vector, deleted.clone()))
                .collect();
        }
        Ok(Some((change.commit(self.state.version, self.context.removed_at())?, own)))
    }

    /// Outputs whose rows were all deleted before they landed.
    async fn discard_unused(&self, compacted: &Compacted, commit: &Commit) {
        let is_used = |path: &str| commit.entry.adds.iter().any(|add| add.path == path);
        let files = compacted.outputs.iter().map(|output| &output.file);
        self.discard(files.filter(|file| !is_used(&file.add.path)).collect()).await;
    }

    async fn discard(&self, files: Vec<&WrittenFile>) {
        for file in &files {
            file.keys.remove();
        }
        self.context.discard(files.iter().map(|file| file.add.path.clone()).collect()).await;
    }
}

/// Numbers of the rows that are gone since the compaction began, among all live rows of all sources in order.
fn gone_meanwhile(files: &DataFiles, sources: &[Arc<DataFile>]) -> RoaringTreemap {
    let mut gone = RoaringTreemap::new();
    let mut first = 0;
    for source in sources {
        let live = source.live_rows();
        match files.by_path(&source.add.path) {
            None => drop(gone.insert_range(first..first + live)),
            Some((_, now)) => {
                let new = &now.deleted - &source.deleted;
                gone.extend(ranks(&source.deleted, &new).map(|rank| first + rank));
            }
        }
        first += live;
    }
    gone
}

/// The ranks of `rows` among those that are not `deleted`, in order.
fn ranks(deleted: &RoaringTreemap, rows: &RoaringTreemap) -> impl Iterator<Item = u64> {
    let mut deleted = deleted.iter().peekable();
    let mut before = 0;
    rows.iter().map(move |row| {
        while deleted.next_if(|deleted| *deleted < row).is_some() {
            before += 1;
        }
        row - before
    })
}

/// Positions in a new file of rows that are gone.
fn deleted_rows(output: &Rewritten, gone: &RoaringTreemap) -> RoaringTreemap {
    match &output.origins {
        Origins::Span(span) => {
            let mut rows = gone.iter();
            rows.advance_to(span.start);
            rows.take_while(|row| *row < span.end).map(|row| row - span.start).collect()
        }
        Origins::Sorted(rows) if !gone.is_empty() => {
            (0..).zip(rows).filter(|(_, row)| gone.contains(**row)).map(|(at, _)| at).collect()
        }
        Origins::Sorted(_) => RoaringTreemap::new(),
    }
}
