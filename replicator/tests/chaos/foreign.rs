//! Others who write the table, each by one commit of their own: they follow the protocol and know nothing of us.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use object_store::PutMode;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::backing::Backing;
use crate::checkpoint;
use crate::log::{self, File, Snapshot};
use crate::reader::Reader;
use crate::rng::Rng;
use crate::value::{Kind, Row};

/// Who they say they are.
pub(crate) const ENGINE: &str = "Apache-Spark/4.1.0 Delta-Lake/4.1.0";

/// The feature that nobody knows.
pub(crate) const FEATURE: &str = "chaosColoredRows";

/// What somebody else does to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Merges the live rows of some files into one.
    Optimize,
    /// Merges rows as they were some versions ago, as delta-rs does when a compaction comes first.
    StaleOptimize,
    /// Adds a column that the source does not have.
    AddColumn,
    /// Deletes a row.
    Delete,
    /// Switches on a feature that writers must know.
    Feature,
}

impl Act {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Optimize => "foreign: OPTIMIZE",
            Self::StaleOptimize => "foreign: OPTIMIZE of what is gone",
            Self::AddColumn => "foreign: ADD COLUMN",
            Self::Delete => "foreign: DELETE",
            Self::Feature => "foreign: unknown feature",
        }
    }

    /// Commits on top of the newest version, if there is anything to do. Says which version it made.
    pub(crate) fn commit(self, backing: &Backing, rng: &mut Rng) -> Result<Option<u64>> {
        let Some(table) = newest(backing)? else { return Ok(None) };
        let (operation, actions) = match self {
            Self::Optimize => ("OPTIMIZE", optimize(backing, &table, rng)?),
            Self::StaleOptimize => ("OPTIMIZE", stale_optimize(backing, &table)?),
            Self::AddColumn => ("ADD COLUMNS", add_column(&table)?),
            Self::Delete => ("DELETE", delete(backing, &table, rng)?),
            Self::Feature => ("SET TBLPROPERTIES", feature(&table)),
        };
        let Some(actions) = actions else { return Ok(None) };
        let info = json!({"commitInfo": {
            "timestamp": backing.now_ms(), "operation": operation, "operationParameters": {}, "engineInfo": ENGINE,
            "userName": "erin", "isolationLevel": "SnapshotIsolation", "isBlindAppend": false,
        }});
        let lines = std::iter::once(info).chain(actions).map(|action| action.to_string() + "\n").collect::<String>();
        let version = table.version + 1;
        backing.put(&log::commit_path(version), lines.into(), PutMode::Create).context("a foreign commit")?;
        Ok(Some(version))
    }
}

/// The newest version, if there is a table.
pub(crate) fn newest(backing: &Backing) -> Result<Option<Snapshot>> {
    log::latest(backing).map(|last| checkpoint::table_at(backing, last)).transpose()
}

fn optimize(backing: &Backing, table: &Snapshot, rng: &mut Rng) -> Result<Option<Vec<Json>>> {
    let columns = table.columns()?;
    let mut reader = Reader::new(backing);
    let files = in_order(&mut reader, table, &columns)?;
    if files.is_empty() {
        return Ok(None);
    }
    let first = *rng.pick(&files);
    let mut merged = vec![first];
    let alike = |file: &&&File| file.partition_values == first.partition_values && file.path != first.path;
    merged.extend(files.iter().filter(alike).take(rng.below(4)));
    let mut rows = Vec::new();
    for file in &merged {
        rows.extend(reader.live_rows(file, &columns)?);
    }
    if rng.chance(500) {
        rows.sort();
    }
    let mut actions: Vec<Json> = merged.iter().map(|file| remove(backing, file, false)).collect();
    if !rows.is_empty() {
        actions.push(write(backing, &columns, first, &rows, false)?);
    }
    Ok(Some(actions))
}

/// A file that has changed since, or is gone, comes back with the rows that it had.
fn stale_optimize(backing: &Backing, newest: &Snapshot) -> Result<Option<Vec<Json>>> {
    for version in (0..newest.version).rev().take(8) {
        let Ok(before) = checkpoint::table_at(backing, version) else { break };
        let columns = before.columns()?;
        let mut reader = Reader::new(backing);
        // Its files may have been vacuumed.
        let Ok(files) = in_order(&mut reader, &before, &columns) else { continue };
        let is_stale = |file: &&&File| newest.files.get(&file.path).is_none_or(|now| now.vector != file.vector);
        let Some(file) = files.iter().find(is_stale) else { continue };
        let rows = reader.live_rows(file, &columns)?;
        if !rows.is_empty() {
            return Ok(Some(vec![remove(backing, file, false), write(backing, &columns, file, &rows, false)?]));
        }
    }
    Ok(None)
}

/// The live files by their first keys: paths are drawn anew in every run.
fn in_order<'a>(reader: &mut Reader, table: &'a Snapshot, columns: &[(String, Kind)]) -> Result<Vec<&'a File>> {
    let rows = table.files.values().map(|file| Ok((reader.live_rows(file, columns)?, file)));
    let mut files = rows.collect::<Result<Vec<_>>>()?;
    files.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// One row of one file goes, by writing the others anew.
fn delete(backing: &Backing, table: &Snapshot, rng: &mut Rng) -> Result<Option<Vec<Json>>> {
    let columns = table.columns()?;
    let mut reader = Reader::new(backing);
    for file in in_order(&mut reader, table, &columns)? {
        let mut rows = reader.live_rows(file, &columns)?;
        if rows.is_empty() {
            continue;
        }
        rows.remove(rng.below(rows.len()));
        let mut actions = vec![remove(backing, file, true)];
        if !rows.is_empty() {
            actions.push(write(backing, &columns, file, &rows, true)?);
        }
        return Ok(Some(actions));
    }
    Ok(None)
}

fn add_column(table: &Snapshot) -> Result<Option<Vec<Json>>> {
    let mut metadata = table.metadata.clone().context("no metaData")?;
    let mut schema: Json = serde_json::from_str(metadata["schemaString"].as_str().context("no schemaString")?)?;
    let fields = schema["fields"].as_array_mut().context("no fields")?;
    let name = format!("foreign{}", fields.len());
    fields.push(json!({"name": name, "type": "string", "nullable": true, "metadata": {}}));
    metadata["schemaString"] = schema.to_string().into();
    Ok(Some(vec![json!({"metaData": metadata})]))
}

fn feature(table: &Snapshot) -> Option<Vec<Json>> {
    let mut protocol = table.protocol.clone()?;
    protocol["minWriterVersion"] = 7.into();
    let mut features = protocol["writerFeatures"].as_array().cloned().unwrap_or_default();
    features.push(FEATURE.into());
    protocol["writerFeatures"] = features.into();
    Some(vec![json!({"protocol": protocol})])
}

fn remove(backing: &Backing, file: &File, data_change: bool) -> Json {
    let mut remove = json!({
        "path": file.path, "deletionTimestamp": backing.now_ms(), "dataChange": data_change, "extendedFileMetadata": true,
        "partitionValues": file.partition_values, "size": file.size,
    });
    if let Some(vector) = &file.vector {
        remove["deletionVector"] = vector.clone();
    }
    json!({ "remove": remove })
}

/// Writes rows of the partition of `like` to a new file.
fn write(backing: &Backing, columns: &[(String, Kind)], like: &File, rows: &[Row], data_change: bool) -> Result<Json> {
    let in_file = columns.iter().enumerate().filter(|(_, (name, _))| !like.partition_values.contains_key(name));
    let in_file: Vec<_> = in_file.collect();
    let fields: Vec<Field> = in_file.iter().map(|(_, (name, kind))| Field::new(name, kind.arrow(), true)).collect();
    let arrays = in_file.iter().map(|(at, (_, kind))| kind.array(rows.iter().map(|row| &row[*at])));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    let (path, size) = (format!("part-00000-{}.c000.snappy.parquet", Uuid::new_v4()), bytes.len());
    backing.put(&Path::from(path.as_str()), bytes.into(), PutMode::Create)?;
    let stats = json!({"numRecords": rows.len(), "minValues": {}, "maxValues": {}, "nullCount": {}}).to_string();
    Ok(json!({"add": {
        "path": path, "partitionValues": like.partition_values, "size": size, "modificationTime": backing.now_ms(),
        "dataChange": data_change, "stats": stats,
    }}))
}
