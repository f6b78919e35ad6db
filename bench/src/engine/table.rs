//! A table in a folder of its own, changed and looked after as the pipeline does it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use object_store::local::LocalFileSystem;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tributary_replicator::change::{ChangeBatch, Fold, PartitionProgress, Verdict};
use tributary_replicator::table::{Committed, Done, KeyedTable, Maintained, Maintenance, TableSpec, Work};
use url::Url;

use super::changes::{Changes, Key};
use super::store::{Counted, Requests};
use crate::workload::Workload;

/// A file with many deleted rows is written anew by then.
const SOON: SignedDuration = SignedDuration::from_mins(2);
/// Rows of a commit that loads the table.
const LOADED: u64 = 500_000;

/// What one commit cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Of the commit alone: changes were folded before.
    pub(super) time: Duration,
    pub(super) requests: Requests,
    pub(super) committed: Committed,
}

/// A table, its load, and its maintenance.
pub(super) struct Table {
    pub(super) keyed: KeyedTable,
    pub(super) changes: Changes,
    pub(super) store: Counted,
    /// Everything that maintenance did.
    pub(super) maintained: Vec<Maintained>,
    fold: Fold,
    progress: PartitionProgress,
    running: Vec<JoinHandle<Done>>,
}

/// Where the parts of a table lie below its folder.
pub(super) fn data(folder: &Path) -> PathBuf {
    folder.join("table")
}

/// The runs of its key index.
pub(super) fn index(folder: &Path) -> PathBuf {
    folder.join("index")
}

/// A folder that is removed when it is dropped.
pub(super) fn folder() -> anyhow::Result<tempfile::TempDir> {
    let cache = match std::env::var_os("TRIBUTARY_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var("HOME")?).join(".cache/tributary"),
    };
    let bench = cache.join("bench");
    std::fs::create_dir_all(&bench)?;
    Ok(tempfile::tempdir_in(bench)?)
}

fn begin(work: Work) -> JoinHandle<Done> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work.run()))
}

impl Table {
    /// Opens the table in `folder`, or creates it.
    pub(super) async fn open(
        folder: &Path,
        key: Key,
        workload: Workload,
        maintenance: Maintenance,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data(folder))?;
        let store = Counted::new(LocalFileSystem::new());
        let url = Url::parse(&format!("file://{}", data(folder).display()))?;
        let spec = TableSpec {
            store: Some(Arc::new(store.clone())),
            index_dir: Some(index(folder)),
            maintenance,
            ..TableSpec::new(url, "bench.engine.public.orders")
        };
        let mut changes = Changes::new(key, workload)?;
        let table = match KeyedTable::open(&spec).await? {
            Some(table) => table,
            None => KeyedTable::create(&spec, changes.schema()).await?,
        };
        let columns = table.columns();
        let fold = Fold::new(Arc::clone(columns.arrow()), columns.key().to_vec(), columns.key_encoder()?);
        let progress = table.progress().clone();
        changes.go_on_at(progress.get(&0).map_or(0, |progress| progress.next_offset));
        Ok(Self { keyed: table, changes, store, maintained: Vec::new(), fold, progress, running: Vec::new() })
    }

    /// Loads all rows and does what maintenance is due then.
    pub(super) async fn load(&mut self) -> anyhow::Result<()> {
        self.load_by(LOADED).await?;
        self.finish_maintenance().await
    }

    /// Loads all rows, `rows` a commit, without maintenance.
    pub(super) async fn load_by(&mut self, rows: u64) -> anyhow::Result<()> {
        let all = self.changes.workload.rows;
        for first in (0..all).step_by(rows as usize) {
            let batch = self.changes.rows(first..all.min(first + rows))?;
            self.commit(&batch).await?;
        }
        Ok(())
    }

    /// Commits these updates.
    pub(super) async fn update(&mut self, numbers: std::ops::Range<u64>) -> anyhow::Result<Cost> {
        let batch = self.changes.updates(numbers)?;
        self.commit(&batch).await
    }

    /// Folds and commits.
    pub(super) async fn commit(&mut self, batch: &ChangeBatch) -> anyhow::Result<Cost> {
        let progress = self.progress.entry(0).or_default();
        self.fold.push(batch, |event| {
            progress.advance(event);
            Verdict::Apply
        })?;
        let folded = self.fold.take()?;
        let (before, started) = (self.store.requests(), Instant::now());
        let committed = self.keyed.commit(&folded, &self.progress).await?;
        Ok(Cost { time: started.elapsed(), requests: self.store.requests() - before, committed })
    }

    /// Lands what is done and begins what is due, each on a thread of its own.
    pub(super) async fn look_after(&mut self) -> anyhow::Result<()> {
        let now = Timestamp::now();
        for done in self.running.extract_if(.., |running| running.is_finished()) {
            self.maintained.push(self.keyed.finish(done.await?, now).await?);
        }
        while let Some(work) = self.keyed.maintenance(now) {
            self.running.push(begin(work));
        }
        Ok(())
    }

    /// Something is being done beside the writing.
    pub(super) fn is_looked_after(&self) -> bool {
        self.running.iter().any(|running| !running.is_finished())
    }

    /// Does what is due, and what will be soon if nothing changes.
    pub(super) async fn finish_maintenance(&mut self) -> anyhow::Result<()> {
        self.look_after().await?;
        while let Some(running) = self.running.pop() {
            self.maintained.push(self.keyed.finish(running.await?, Timestamp::now()).await?);
        }
        // One time for all: what is done every minute would be due again and again. And one thing at a time: with a clock
        // that is ahead of the storage's by more than the history, a vacuum takes what is being written for a left-over.
        let soon = Timestamp::now() + SOON;
        while let Some(work) = self.keyed.maintenance(soon) {
            let done = begin(work).await?;
            self.maintained.push(self.keyed.finish(done, soon).await?);
        }
        Ok(())
    }
}
