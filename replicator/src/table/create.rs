//! Metadata of version 0 of a table, and of the later versions that add columns or change how the table is kept.

use std::collections::BTreeMap;

use buoyant_kernel::schema::StructType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::now_ms;
use super::columns::Columns;
use super::log::Metadata;
use super::writer::stats_columns;
use super::{Maintenance, TableError, TableSpec, Writes};

/// Which topic a table is made from; by this we know our tables.
pub(super) const SOURCE_TOPIC: &str = "tributary.sourceTopic";
/// The key columns as a JSON list.
pub(super) const KEY_COLUMNS: &str = "tributary.keyColumns";
/// For how long removed files stay: what Delta calls their tombstones is kept as long.
const FILE_RETENTION: &str = "delta.deletedFileRetentionDuration";
/// For how long versions of the log stay.
const LOG_RETENTION: &str = "delta.logRetentionDuration";
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";
/// Others clean the log when they commit or checkpoint; the writing task does it here.
const LOG_CLEANUP: &str = "delta.enableExpiredLogCleanup";

/// Metadata of a new table.
pub(super) fn metadata(spec: &TableSpec, columns: &Columns) -> Result<Metadata, TableError> {
    check_columns("partitionBy", &spec.partition_by, columns)?;
    check_columns("clusterBy", &spec.cluster_by, columns)?;
    let key = serde_json::to_string(&columns.key_names()).map_err(unexpected)?;
    let stats = stats_columns(columns, &spec.partition_by).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let mut configuration: BTreeMap<String, String> =
        BTreeMap::from([(SOURCE_TOPIC.to_owned(), spec.topic.clone()), (KEY_COLUMNS.to_owned(), key)]);
    if !stats.is_empty() {
        configuration.insert("delta.dataSkippingStatsColumns".to_owned(), stats.join(","));
    }
    configuration.insert(LOG_CLEANUP.to_owned(), "false".to_owned());
    configuration.extend(kept(spec));
    Ok(Metadata {
        id: Uuid::new_v4().to_string(),
        format: json!({"provider": "parquet", "options": {}}),
        schema_string: serde_json::to_string(&columns.delta()?).map_err(unexpected)?,
        partition_columns: spec.partition_by.clone(),
        configuration,
        created_time: Some(now_ms()),
        ..Metadata::default()
    })
}

/// The properties that follow from how the table is to be kept.
fn kept(spec: &TableSpec) -> impl Iterator<Item = (String, String)> {
    let Maintenance { history, .. } = &spec.maintenance;
    let interval = format!("interval {} seconds", history.as_secs());
    let vectors = (spec.writes == Writes::DeletionVectors).then(|| (DELETION_VECTORS, "true".to_owned()));
    let properties = [(FILE_RETENTION, interval.clone()), (LOG_RETENTION, interval)].into_iter().chain(vectors);
    properties.map(|(name, value)| (name.to_owned(), value))
}

/// `metadata` with the properties that the resource asks for now; `None` when it has them.
pub(super) fn with_properties(metadata: &Metadata, spec: &TableSpec) -> Option<Metadata> {
    let mut changed = metadata.clone();
    changed.configuration.extend(kept(spec));
    (changed != *metadata).then_some(changed)
}

/// The same metadata with more columns: those that others described stay as they described them.
pub(super) fn with_columns(metadata: &Metadata, more: &Columns) -> Result<Metadata, TableError> {
    let mut schema: Value = serde_json::from_str(&metadata.schema_string).map_err(unexpected)?;
    let wanted: StructType = more.delta()?;
    let known: Vec<String> = names(&schema);
    if let Some(fields) = schema.get_mut("fields").and_then(Value::as_array_mut) {
        for field in wanted.fields().filter(|field| !known.contains(field.name())) {
            fields.push(serde_json::to_value(field).map_err(unexpected)?);
        }
    }
    Ok(Metadata { schema_string: schema.to_string(), ..metadata.clone() })
}

fn names(schema: &Value) -> Vec<String> {
    let fields = schema.get("fields").and_then(Value::as_array).into_iter().flatten();
    fields.filter_map(|field| field.get("name").and_then(Value::as_str)).map(str::to_owned).collect()
}

fn check_columns(field: &'static str, named: &[String], columns: &Columns) -> Result<(), TableError> {
    for name in named {
        let Some((_, column)) = columns.arrow().column_with_name(name) else {
            let names: Vec<_> = columns.arrow().fields().iter().map(|field| field.name().as_str()).collect();
            let problem = format!("the table has no column {name}; it has {}", names.join(", "));
            return Err(TableError::Layout { field, problem });
        };
        if column.data_type().is_nested() || matches!(column.data_type(), arrow_schema::DataType::Binary) {
            let problem = format!("{name} is of type {}, by which rows cannot be arranged", column.data_type());
            return Err(TableError::Layout { field, problem });
        }
    }
    Ok(())
}

pub(super) fn unexpected(error: serde_json::Error) -> TableError {
    TableError::Columns(arrow_schema::ArrowError::from_external_error(Box::new(error)))
}
