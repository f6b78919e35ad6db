//! Watches the log of a Delta table: when each commit landed, and which offsets it applied.

use anyhow::Context;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;
use url::Url;

/// One commit of the replicator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    /// `commitInfo.timestamp`, milliseconds since the epoch.
    pub(crate) timestamp_ms: i64,
    /// The first offset that it applied.
    pub(crate) from: u64,
    /// The first offset that it did not apply.
    pub(crate) to: u64,
}

/// The log of one table, read as it grows.
pub(crate) struct DeltaLog {
    store: Box<dyn ObjectStore>,
    folder: Path,
    next_version: u64,
    /// All commits that applied something, in order.
    pub(crate) commits: Vec<Commit>,
}

impl DeltaLog {
    /// The log of the table at `url`, which need not exist yet.
    pub(crate) fn of(url: &Url, options: &[(String, String)]) -> anyhow::Result<Self> {
        let (store, table) = object_store::parse_url_opts(url, options.iter().cloned())?;
        Ok(Self { store, folder: table.join("_delta_log"), next_version: 0, commits: Vec::new() })
    }

    /// Reads what was committed since the last call. Offsets that were left out or applied twice are an error.
    pub(crate) async fn poll(&mut self) -> anyhow::Result<()> {
        loop {
            let path = self.folder.clone().join(format!("{:020}.json", self.next_version));
            let actions = match self.store.get(&path).await {
                Ok(found) => found.bytes().await?,
                Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let commit = commit(&actions).with_context(|| format!("{path} is not one of the replicator's commits"))?;
            if let Some(commit) = commit {
                let applied = self.commits.last().map_or(0, |last| last.to);
                anyhow::ensure!(commit.from == applied, "{path} starts at offset {}, not {applied}", commit.from);
                self.commits.push(commit);
            }
            self.next_version += 1;
        }
    }

    /// The first offset that was not applied yet.
    pub(crate) fn applied(&self) -> u64 {
        self.commits.last().map_or(0, |last| last.to)
    }
}

/// `None`: a commit that applied nothing, as the one that creates the table.
fn commit(actions: &[u8]) -> anyhow::Result<Option<Commit>> {
    let line = actions.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"{\"commitInfo\""));
    let line: Value = serde_json::from_slice(line.context("no commitInfo")?)?;
    let info = &line["commitInfo"];
    let Some(offsets) = info["tributary.offsets"]["0"].as_array() else { return Ok(None) };
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).context("an offset is no number");
    let (from, to) = (number(offsets.first())?, number(offsets.get(1))?);
    let timestamp_ms = info["timestamp"].as_i64().context("no timestamp")?;
    Ok(Some(Commit { timestamp_ms, from, to }))
}
