//! The Delta log, read by the protocol and by nothing of ours: what each version holds, and whether it was allowed to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use object_store::path::Path;
use serde_json::Value as Json;

use crate::backing::Backing;
use crate::value::Kind;

/// A data file as an `add` put it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct File {
    pub path: String,
    pub size: u64,
    pub partition_values: BTreeMap<String, Option<String>>,
    pub stats: Option<Json>,
    pub vector: Option<Json>,
}

/// The table at one version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub version: u64,
    pub files: BTreeMap<String, File>,
    pub transactions: BTreeMap<String, i64>,
    pub metadata: Option<Json>,
    pub protocol: Option<Json>,
    pub commit_info: Json,
}

/// Path of the commit of a version.
pub(crate) fn commit_path(version: u64) -> Path {
    Path::from(format!("_delta_log/{version:020}.json"))
}

/// The newest version that has a commit of its own.
pub(crate) fn latest(backing: &Backing) -> Option<u64> {
    let names = backing.list(Some(&Path::from("_delta_log")), 0);
    let versions = names.iter().filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok());
    versions.max()
}

/// The actions of a commit; `None` when it is not there.
pub(crate) fn actions(backing: &Backing, version: u64) -> Result<Option<Vec<Json>>> {
    let Some(bytes) = backing.read(&commit_path(version)) else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).context("a commit is not UTF-8")?;
    let lines = text.lines().filter(|line| !line.is_empty());
    Ok(Some(lines.map(serde_json::from_str).collect::<Result<_, _>>().context("a commit is not JSON")?))
}

/// A line for each commit that is there.
pub(crate) fn history(backing: &Backing) -> String {
    let line = |version| {
        let actions = actions(backing, version).ok()??;
        let number = |kind: &str| actions.iter().filter(|action| !action[kind].is_null()).count();
        let info = actions.iter().find(|action| !action["commitInfo"].is_null()).map(|action| &action["commitInfo"])?;
        let (operation, offsets) = (&info["operation"], &info["tributary.offsets"]);
        Some(format!("{version}: {operation} {offsets} add {} remove {}\n", number("add"), number("remove")))
    };
    (0..=latest(backing).unwrap_or_default()).filter_map(line).collect()
}

impl Snapshot {
    /// The table one version later.
    pub(crate) fn next(&self, version: u64, actions: &[Json]) -> Result<Self> {
        let mut next = Self { version, ..self.clone() };
        next.check_paths(actions)?;
        for action in actions {
            next.remove(action)?;
        }
        for action in actions {
            next.take(action)?;
        }
        ensure!(next.metadata.is_some() && next.protocol.is_some(), "no metaData or no protocol");
        Ok(next)
    }

    /// A path is added at most once by a commit, and removed at most once; what is added was not there.
    fn check_paths(&self, actions: &[Json]) -> Result<()> {
        let paths = |kind: &str| -> Result<BTreeSet<String>> {
            let mut paths = BTreeSet::new();
            for path in actions.iter().filter_map(|action| action[kind]["path"].as_str()) {
                ensure!(paths.insert(path.to_owned()), "{kind} names {path} twice in one commit");
            }
            Ok(paths)
        };
        let (added, removed) = (paths("add")?, paths("remove")?);
        for path in added.difference(&removed) {
            ensure!(!self.files.contains_key(path), "{path} is added although it is there");
        }
        Ok(())
    }

    fn remove(&mut self, action: &Json) -> Result<()> {
        let Some(path) = action["remove"]["path"].as_str() else { return Ok(()) };
        let removed = self.files.remove(path).with_context(|| format!("{path} is removed and was not there"))?;
        let named = vector_id(&action["remove"]["deletionVector"]);
        let had = removed.vector.as_ref().and_then(vector_id);
        ensure!(named == had, "{path} is removed with the deletion vector {named:?} and has {had:?}");
        ensure!(action["remove"]["dataChange"].is_boolean(), "{path} is removed without dataChange");
        Ok(())
    }

    fn take(&mut self, action: &Json) -> Result<()> {
        let (kind, of) = action.as_object().and_then(|action| action.iter().next()).context("an empty action")?;
        match kind.as_str() {
            "add" => drop(self.files.insert(of["path"].as_str().context("no path")?.to_owned(), file(of)?)),
            "metaData" => self.metadata = Some(of.clone()),
            "protocol" => self.protocol = Some(of.clone()),
            "commitInfo" => self.commit_info = of.clone(),
            "txn" => {
                let (app, to) = (of["appId"].as_str(), of["version"].as_i64());
                self.transactions.insert(app.context("no appId")?.to_owned(), to.context("no version")?);
            }
            "remove" | "domainMetadata" | "checkpointMetadata" => {}
            other => bail!("an action {other} is unknown"),
        }
        Ok(())
    }

    /// The live files, and what tells their deletion vectors apart.
    pub(crate) fn identities(&self) -> BTreeMap<&String, Option<String>> {
        self.files.iter().map(|(path, file)| (path, file.vector.as_ref().and_then(vector_id))).collect()
    }

    /// How many messages of partition 0 are in the table.
    pub(crate) fn next_offset(&self, topic: &str) -> usize {
        self.transactions.get(&format!("tributary/{topic}/0/next-offset")).copied().unwrap_or_default() as usize
    }

    /// Names and types of the columns.
    pub(crate) fn columns(&self) -> Result<Vec<(String, Kind)>> {
        let metadata = self.metadata.as_ref().context("no metaData")?;
        let schema: Json = serde_json::from_str(metadata["schemaString"].as_str().context("no schemaString")?)?;
        let column = |field: &Json| {
            let kind = field["type"].as_str().and_then(Kind::of_delta);
            Ok((field["name"].as_str().context("no name")?.to_owned(), kind.context("a type that nobody made")?))
        };
        schema["fields"].as_array().context("no fields")?.iter().map(column).collect()
    }
}

/// What tells one deletion vector from another.
fn vector_id(vector: &Json) -> Option<String> {
    let storage = vector["storageType"].as_str()?;
    Some(format!("{storage}{}@{}", vector["pathOrInlineDv"].as_str()?, vector["offset"]))
}

fn file(add: &Json) -> Result<File> {
    let partition_values = add["partitionValues"].as_object().context("no partitionValues")?;
    ensure!(add["dataChange"].is_boolean() && add["modificationTime"].is_number(), "an add lacks what it must have");
    Ok(File {
        path: add["path"].as_str().context("no path")?.to_owned(),
        size: add["size"].as_u64().context("no size")?,
        partition_values: partition_values
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)))
            .collect(),
        stats: add["stats"].as_str().map(serde_json::from_str).transpose()?,
        vector: Some(add["deletionVector"].clone()).filter(|vector| !vector.is_null()),
    })
}
