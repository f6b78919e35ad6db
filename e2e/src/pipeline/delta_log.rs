//! The Delta log as it is written, commit by commit: what the exactly-once tests look at.

use anyhow::Context;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::oracle::TableLocation;

/// All commits of a table, oldest first.
pub struct DeltaLog {
    /// One per version, from 0.
    pub commits: Vec<Commit>,
}

/// One commit.
pub struct Commit {
    /// Version of the table.
    pub version: u64,
    /// The actions as JSON, each with one field that names its kind.
    pub actions: Vec<Value>,
}

/// The offsets of partition 0 that a commit says it applied: from the first to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first offset.
    pub from: i64,
    /// The offset after the last one.
    pub to: i64,
}

impl DeltaLog {
    /// Reads the log of a table.
    pub async fn read(table: &TableLocation) -> anyhow::Result<Self> {
        let (store, folder) = table.store()?;
        let mut commits = Vec::new();
        for version in 0.. {
            let path = commit_path(&folder, version);
            let bytes = match store.get(&path).await {
                Ok(object) => object.bytes().await?,
                Err(object_store::Error::NotFound { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            let lines = serde_json::Deserializer::from_slice(&bytes).into_iter();
            let actions = lines.collect::<Result<_, _>>().with_context(|| format!("{path} is not JSON lines"))?;
            commits.push(Commit { version, actions });
        }
        Ok(Self { commits })
    }

    /// The latest version.
    pub fn version(&self) -> Option<u64> {
        self.commits.last().map(|commit| commit.version)
    }

    /// Rows that were copied from the source: those of its chunks.
    pub fn copied_rows(&self) -> u64 {
        self.commits.iter().filter(|commit| commit.is_copied()).map(Commit::added_rows).sum()
    }

    /// The offset ranges of all commits that have one, oldest first.
    pub fn offset_ranges(&self) -> Vec<OffsetRange> {
        self.commits.iter().filter_map(Commit::offset_range).collect()
    }

    /// Checks that every offset was applied exactly once: the ranges start where the copy began, each begins where the one before ended,
    /// and the `txn` action of each commit says the same. Returns the end of the last range.
    pub fn check_offsets(&self, topic: &str) -> anyhow::Result<i64> {
        let mut next = 0;
        for commit in &self.commits {
            let version = commit.version;
            let recorded = commit.transaction(&format!("tributary/{topic}/0/next-offset"));
            let Some(OffsetRange { from, to }) = commit.offset_range() else {
                // A part of a copy applies none, and says where the topic is followed from.
                next = recorded.unwrap_or(next);
                continue;
            };
            anyhow::ensure!(from == next, "version {version} starts at offset {from}, the one before ended at {next}");
            anyhow::ensure!(to > from, "version {version} applies offsets {from} to {to}, which are none");
            anyhow::ensure!(recorded == Some(to), "version {version} ends at offset {to}, its txn says {recorded:?}");
            next = to;
        }
        Ok(next)
    }
}

/// The end of a table's log, asked for often: nothing of it is read.
pub struct LogEnd {
    store: Box<dyn ObjectStore>,
    folder: Path,
    version: Option<u64>,
}

impl LogEnd {
    /// That of this table, which need not be there yet.
    pub fn of(table: &TableLocation) -> anyhow::Result<Self> {
        let (store, folder) = table.store()?;
        Ok(Self { store, folder, version: None })
    }

    /// The latest version.
    pub async fn version(&mut self) -> anyhow::Result<Option<u64>> {
        loop {
            let next = self.version.map_or(0, |version| version + 1);
            match self.store.head(&commit_path(&self.folder, next)).await {
                Ok(_) => self.version = Some(next),
                Err(object_store::Error::NotFound { .. }) => return Ok(self.version),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn commit_path(folder: &Path, version: u64) -> Path {
    folder.clone().join("_delta_log").join(format!("{version:020}.json"))
}

impl Commit {
    /// The actions of one kind: `add`, `remove`, `txn`, `metaData`, …
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.actions.iter().filter_map(move |action| action.get(kind))
    }

    /// A part of a copy.
    fn is_copied(&self) -> bool {
        self.all("commitInfo").any(|info| info["operation"] == "WRITE")
    }

    /// Rows of the files that it adds.
    fn added_rows(&self) -> u64 {
        let stats = self.all("add").filter_map(|add| serde_json::from_str::<Value>(add["stats"].as_str()?).ok());
        stats.filter_map(|stats| stats["numRecords"].as_u64()).sum()
    }

    /// What the commit says of partition 0.
    pub fn offset_range(&self) -> Option<OffsetRange> {
        let offsets = self.all("commitInfo").find_map(|info| info.get("tributary.offsets"))?;
        let range = offsets.get("0")?;
        Some(OffsetRange { from: range.get(0)?.as_i64()?, to: range.get(1)?.as_i64()? })
    }

    /// The version that the commit sets for an application's transaction.
    pub fn transaction(&self, app_id: &str) -> Option<i64> {
        self.all("txn").find(|txn| txn["appId"] == app_id)?["version"].as_i64()
    }

    /// The names of the columns, if the commit sets them.
    pub fn columns(&self) -> Option<Vec<String>> {
        let schema = self.all("metaData").next()?["schemaString"].as_str()?;
        let schema: Value = serde_json::from_str(schema).ok()?;
        let names = schema["fields"].as_array()?.iter().filter_map(|field| field["name"].as_str());
        Some(names.map(str::to_owned).collect())
    }
}
