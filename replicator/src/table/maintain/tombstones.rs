//! Files that the table had at some time of its history and has no more.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StructArray};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use serde::Deserialize;

use crate::table::context::Context;
use crate::table::log::{FOLDER, PartitionValues};
use crate::table::parquet_file::ParquetFile;
use crate::table::{TableError, deletion_vector};

/// What `_last_checkpoint` says.
#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

/// Objects of files that were removed from the table at `cutoff` (milliseconds) or later, as of `version`.
pub(in crate::table) async fn since(
    context: &Context,
    version: u64,
    cutoff: i64,
) -> Result<HashSet<String>, TableError> {
    let checkpoint = checkpoint(context).await?;
    since_checkpoint(context, checkpoint, version, cutoff).await
}

/// The same from a checkpoint on, which may be gone by now.
pub(in crate::table) async fn since_checkpoint(
    context: &Context,
    checkpoint: Option<(u64, ParquetFile)>,
    version: u64,
    cutoff: i64,
) -> Result<HashSet<String>, TableError> {
    let mut objects = HashSet::new();
    let first = match checkpoint {
        Some((checkpoint, file)) if checkpoint <= version => {
            match of_checkpoint(context, file, cutoff, &mut objects).await {
                // The clean-up, which runs beside this, took it. The versions of the history are in the log without it.
                Err(TableError::MissingFile { .. }) => oldest(context).await?,
                read => read.map(|()| checkpoint + 1)?,
            }
        }
        _ => oldest(context).await?,
    };
    for version in first..=version {
        let Some(entry) = context.log.read(version).await.map_err(context.storage("read the log of"))? else {
            continue;
        };
        for remove in entry.removes {
            let vector = remove.deletion_vector.as_ref();
            let vector =
                vector.and_then(|vector| deletion_vector::path(&vector.storage_type, &vector.path_or_inline_dv));
            if remove.deletion_timestamp.is_none_or(|at| at >= cutoff) {
                objects.extend(std::iter::once(remove.path).chain(vector));
            }
        }
    }
    Ok(objects)
}

/// The last checkpoint, if it is one file.
async fn checkpoint(context: &Context) -> Result<Option<(u64, ParquetFile)>, TableError> {
    let hint = match context.store.get(&Path::from(format!("{FOLDER}/_last_checkpoint"))).await {
        Ok(hint) => hint.bytes().await.map_err(context.storage("read the log of"))?,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(context.storage("read the log of")(error)),
    };
    let Ok(LastCheckpoint { version }) = serde_json::from_slice(&hint) else { return Ok(None) };
    let path = Path::from(format!("{FOLDER}/{version:020}.checkpoint.parquet"));
    match context.store.head(&path).await {
        Ok(found) => {
            let (store, partition_values) = (Arc::clone(&context.store), PartitionValues::new());
            Ok(Some((version, ParquetFile { store, path, size: found.size, partition_values, bytes: None })))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(context.storage("read the log of")(error)),
    }
}

/// The oldest version whose commit is there: without a checkpoint that can be read here, all of them are read.
async fn oldest(context: &Context) -> Result<u64, TableError> {
    let listed = context.store.list(Some(&Path::from(FOLDER)));
    let versions = listed.try_filter_map(|found| async move {
        let name = found.location.filename().and_then(|name| name.strip_suffix(".json"));
        Ok(name.and_then(|version| version.parse::<u64>().ok()))
    });
    let versions: Vec<u64> = versions.try_collect().await.map_err(context.storage("list the log of"))?;
    Ok(versions.into_iter().min().unwrap_or(0))
}

async fn of_checkpoint(
    context: &Context,
    file: ParquetFile,
    cutoff: i64,
    objects: &mut HashSet<String>,
) -> Result<(), TableError> {
    let path = file.path.to_string();
    let failed = || TableError::read_data_file(&context.uri, &path);
    let builder = ParquetRecordBatchStreamBuilder::new(file).await.map_err(failed())?;
    let columns = ["remove.path", "remove.deletionTimestamp", "remove.deletionVector"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut batches = builder.with_projection(mask).build().map_err(failed())?;
    while let Some(batch) = batches.try_next().await.map_err(failed())? {
        of_batch(&batch, cutoff, objects);
    }
    Ok(())
}

fn of_batch(batch: &RecordBatch, cutoff: i64, objects: &mut HashSet<String>) {
    let Some(removes) = batch.column_by_name("remove").and_then(|column| column.as_struct_opt()) else { return };
    let vectors = removes.column_by_name("deletionVector").and_then(|column| column.as_struct_opt());
    let times = removes.column_by_name("deletionTimestamp").and_then(|times| times.as_primitive_opt::<Int64Type>());
    for row in (0..batch.num_rows()).filter(|row| removes.is_valid(*row)) {
        let is_needed = times.is_none_or(|times| times.is_null(row) || times.value(row) >= cutoff);
        let Some(path) = text(removes, "path", row).filter(|_| is_needed) else { continue };
        objects.insert(percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned());
        let vector = vectors.filter(|vectors| vectors.is_valid(row)).and_then(|vectors| {
            deletion_vector::path(text(vectors, "storageType", row)?, text(vectors, "pathOrInlineDv", row)?)
        });
        objects.extend(vector);
    }
}

fn text<'a>(columns: &'a StructArray, name: &str, row: usize) -> Option<&'a str> {
    let column = columns.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row))
}
