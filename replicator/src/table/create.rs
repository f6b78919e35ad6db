//! Metadata of version 0 of a table, and of the later versions that add columns or change how the table is kept.

use std::collections::BTreeMap;

use buoyant_kernel::schema::StructType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::Columns;
use super::log::Metadata;
use super::stats::stats_columns;
use super::{Maintenance, TableError, TableSpec, Writes};

/// Which topic a table is made from; by this we know our tables.
pub(super) const SOURCE_TOPIC: &str = "tributary.sourceTopic";
/// The key columns as a JSON list.
pub(super) const KEY_COLUMNS: &str = "tributary.keyColumns";
/// For how long removed files stay: what Delta calls their tombstones is kept as long.
const FILE_RETENTION: &str = "delta.deletedFileRetentionDuration";
/// For how long versions of the log stay.
const LOG_RETENTION: &str = "delta.logRetentionDuration";
/// What the rows were copied from, and how far that is.
pub(super) const COPY: &str = "tributary.copy";
/// The copy that is made to take the place of the rows, while there is one.
pub(super) const SHADOW: &str = "tributary.shadow";
/// The last wish for a copy anew that was taken in.
pub(super) const RESYNCED: &str = "tributary.resynced";
const DELETION_VECTORS: &str = "delta.enableDeletionVectors";
/// By which columns readers may skip files.
const STATS_COLUMNS: &str = "delta.dataSkippingStatsColumns";
/// Others clean the log when they commit or checkpoint; the writing task does it here.
const LOG_CLEANUP: &str = "delta.enableExpiredLogCleanup";

/// Metadata of a new table.
pub(super) fn metadata(spec: &TableSpec, columns: &Columns) -> Result<Metadata, TableError> {
    check_columns("partitionBy", &spec.partition_by, columns)?;
    check_cluster_by(spec, columns)?;
    let key = serde_json::to_string(&columns.key_names()).map_err(unexpected)?;
    let mut configuration: BTreeMap<String, String> =
        BTreeMap::from([(SOURCE_TOPIC.to_owned(), spec.topic.clone()), (KEY_COLUMNS.to_owned(), key)]);
    configuration.insert(LOG_CLEANUP.to_owned(), "false".to_owned());
    configuration.extend(kept(spec, columns));
    Ok(Metadata {
        id: spec.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
        format: json!({"provider": "parquet", "options": {}}),
        schema_string: serde_json::to_string(&columns.delta()?).map_err(unexpected)?,
        partition_columns: spec.partition_by.clone(),
        configuration,
        created_time: Some(spec.clock.now_ms()),
        ..Metadata::default()
    })
}

/// The properties that follow from how the table is to be kept.
fn kept(spec: &TableSpec, columns: &Columns) -> impl Iterator<Item = (String, String)> {
    let Maintenance { history, .. } = &spec.maintenance;
    let interval = format!("interval {} seconds", history.as_secs());
    let vectors = (spec.writes == Writes::DeletionVectors).then(|| (DELETION_VECTORS, "true".to_owned()));
    let stats = stats_columns(columns, &spec.partition_by, &spec.cluster_by);
    let stats = stats.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(",");
    let stats = (!stats.is_empty()).then_some((STATS_COLUMNS, stats));
    let retention = [(FILE_RETENTION, interval.clone()), (LOG_RETENTION, interval)];
    let properties = retention.into_iter().chain(vectors).chain(stats);
    properties.map(|(name, value)| (name.to_owned(), value))
}

/// `metadata` with the properties that the resource asks for now; `None` when it has them.
pub(super) fn with_properties(metadata: &Metadata, spec: &TableSpec, columns: &Columns) -> Option<Metadata> {
    let mut changed = metadata.clone();
    changed.configuration.extend(kept(spec, columns));
    (changed != *metadata).then_some(changed)
}

/// The same metadata of a table that gets other columns, with all rows.
pub(super) fn with_schema(metadata: &Metadata, columns: &Columns, spec: &TableSpec) -> Result<Metadata, TableError> {
    check_columns("partitionBy", &metadata.partition_columns, columns)?;
    check_cluster_by(spec, columns)?;
    let mut changed = metadata.clone();
    changed.schema_string = serde_json::to_string(&columns.delta()?).map_err(unexpected)?;
    let key = serde_json::to_string(&columns.key_names()).map_err(unexpected)?;
    changed.configuration.insert(KEY_COLUMNS.to_owned(), key);
    Ok(changed)
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

/// Refuses another `partitionBy` than the table was created with: its data files lie in folders by it.
pub(super) fn check_partition_by(spec: &TableSpec, metadata: &Metadata) -> Result<(), TableError> {
    if spec.partition_by == metadata.partition_columns {
        return Ok(());
    }
    let listed = |columns: &[String]| if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") };
    let problem = format!(
        "the Delta table was created partitioned by {}, and the resource says {}. Set it back, or choose another target for \
         the table",
        listed(&metadata.partition_columns),
        listed(&spec.partition_by),
    );
    Err(TableError::Layout { field: "partitionBy", problem })
}

/// Refuses columns of `clusterBy` that the table does not have, or by which nothing can be sorted.
pub(super) fn check_cluster_by(spec: &TableSpec, columns: &Columns) -> Result<(), TableError> {
    check_columns("clusterBy", &spec.cluster_by, columns)
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
