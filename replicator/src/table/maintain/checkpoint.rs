//! The log up to a version in one file, written by the kernel.

use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::table::context::Context;
use crate::table::log::FOLDER;
use crate::table::{TableError, kernel};

/// Writes a checkpoint of `version`. Its bytes.
pub(super) async fn run(context: &Context, version: u64) -> Result<u64, TableError> {
    let checkpoint = context.blocking(move |context| {
        let written = kernel::checkpoint(context.engine.as_ref(), context.directory().as_str(), version);
        written.map_err(TableError::log("checkpoint", &context.uri))
    });
    checkpoint.await?;
    // A table with another kind of checkpoint has no such file, and its size is not known then.
    let path = Path::from(format!("{FOLDER}/{version:020}.checkpoint.parquet"));
    Ok(context.store.head(&path).await.map_or(0, |found| found.size))
}
