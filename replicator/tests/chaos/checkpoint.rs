//! Checkpoints of the Delta log, as the actions that they stand for.

use anyhow::{Context, Result};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value as Json};

use crate::backing::Backing;
use crate::log::{self, Snapshot};

/// Path of the checkpoint of a version, if it is one file.
fn path(version: u64) -> Path {
    Path::from(format!("_delta_log/{version:020}.checkpoint.parquet"))
}

/// Versions that have a checkpoint.
pub(crate) fn versions(backing: &Backing) -> Vec<u64> {
    let names = backing.list(Some(&Path::from("_delta_log")), 0);
    let version = |name: &str| name.strip_suffix(".checkpoint.parquet")?.parse().ok();
    names.iter().filter_map(|meta| version(meta.location.filename()?)).collect()
}

/// The table at the version of a checkpoint.
pub(crate) fn read(backing: &Backing, version: u64) -> Result<Snapshot> {
    let bytes = backing.read(&path(version)).with_context(|| format!("there is no checkpoint of version {version}"))?;
    let mut lines = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut lines);
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    let actions = serde_json::Deserializer::from_slice(&lines).into_iter::<Map<String, Json>>();
    let actions = actions.map(|action| Ok(only_what_is(action?))).collect::<Result<Vec<_>>>()?;
    let actions: Vec<Json> = actions.into_iter().filter(|action| action.get("remove").is_none()).collect();
    Snapshot::default().next(version, &actions).with_context(|| format!("the checkpoint of version {version}"))
}

/// A version from the newest checkpoint before it and the commits after that.
pub(crate) fn table_at(backing: &Backing, version: u64) -> Result<Snapshot> {
    let start = versions(backing).into_iter().filter(|checkpoint| *checkpoint <= version).max();
    let mut snapshot = start.map(|start| read(backing, start)).transpose()?.unwrap_or_default();
    for version in start.map_or(0, |start| start + 1)..=version {
        let actions = log::actions(backing, version)?;
        snapshot = snapshot.next(version, &actions.with_context(|| format!("version {version} is gone"))?)?;
    }
    Ok(snapshot)
}

/// A row has one column per kind of action, and all but one are null.
fn only_what_is(action: Map<String, Json>) -> Json {
    Json::Object(action.into_iter().filter(|(_, of)| !of.is_null()).collect())
}
