//! Version 0 of a table, and the later versions that only change its columns.

use std::collections::HashMap;

use buoyant_kernel::actions::{Metadata, Protocol};
use deltalake::kernel::MetadataExt;
use deltalake::kernel::new_metadata;
use serde_json::json;

use super::columns::Columns;
use super::writer::stats_columns;
use super::{TableError, TableSpec};

/// Which topic a table is made from; by this we know our tables.
pub(super) const SOURCE_TOPIC: &str = "tributary.sourceTopic";
/// The key columns as a JSON list.
pub(super) const KEY_COLUMNS: &str = "tributary.keyColumns";

/// Protocol (3,7) with just the features that the table uses. It is written by hand because delta-rs would add
/// `invariants`, which a build without DataFusion then refuses to write to.
pub(super) fn protocol(columns: &Columns) -> Result<Protocol, TableError> {
    let mut reader = vec!["deletionVectors"];
    if columns.has_timestamp_ntz()? {
        reader.push("timestampNtz");
    }
    let writer: Vec<_> = reader.iter().copied().chain(["appendOnly"]).collect();
    let protocol = json!({
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": writer,
    });
    serde_json::from_value(protocol).map_err(unexpected)
}

/// Metadata of a new table.
pub(super) fn metadata(spec: &TableSpec, columns: &Columns) -> Result<Metadata, TableError> {
    check_partition_by(spec, columns)?;
    let key = serde_json::to_string(&columns.key_names()).map_err(unexpected)?;
    let stats = stats_columns(columns, &spec.partition_by).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let mut configuration = HashMap::from([
        ("delta.enableDeletionVectors", "true".to_owned()),
        (SOURCE_TOPIC, spec.topic.clone()),
        (KEY_COLUMNS, key),
    ]);
    if !stats.is_empty() {
        configuration.insert("delta.dataSkippingStatsColumns", stats.join(","));
    }
    let metadata = new_metadata(&columns.delta()?, &spec.partition_by, configuration);
    metadata.map_err(|error| TableError::storage("create", &spec.uri())(error.into()))
}

/// The same metadata with more columns.
pub(super) fn grown(metadata: &Metadata, spec: &TableSpec, columns: &Columns) -> Result<Metadata, TableError> {
    let grown = metadata.clone().with_schema(&columns.delta()?);
    grown.map_err(|error| TableError::storage("add columns to", &spec.uri())(error.into()))
}

fn check_partition_by(spec: &TableSpec, columns: &Columns) -> Result<(), TableError> {
    for name in &spec.partition_by {
        let Some((_, field)) = columns.arrow().column_with_name(name) else {
            let names: Vec<_> = columns.arrow().fields().iter().map(|field| field.name().as_str()).collect();
            let problem = format!("the table has no column {name}; it has {}", names.join(", "));
            return Err(TableError::PartitionBy { problem });
        };
        if field.data_type().is_nested() || matches!(field.data_type(), arrow_schema::DataType::Binary) {
            let problem = format!("{name} is of type {}, which cannot partition a Delta table", field.data_type());
            return Err(TableError::PartitionBy { problem });
        }
    }
    Ok(())
}

fn unexpected(error: serde_json::Error) -> TableError {
    TableError::Columns(arrow_schema::ArrowError::from_external_error(Box::new(error)))
}
