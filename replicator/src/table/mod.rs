//! A Delta table as a keyed store: locate, apply, commit.
//!
//! An update costs what it weighs: the key index finds the old row, a deletion vector removes it, the new row is
//! appended. Rows, offsets and source position are one commit.

mod columns;
mod commit;
mod create;
mod data_file;
mod deletion_vector;
mod error;
mod index;
mod open;
mod parquet_file;
mod stored_values;
mod transaction;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::DeltaTable;
use object_store::ObjectStore;
use url::Url;

pub use columns::Columns;
pub use commit::Committed;
pub use error::TableError;

use crate::change::{KeyHash, PartitionProgress, RowSchema};
use data_file::DataFiles;
use index::KeyIndex;

/// Which table is written, and how it is reached.
#[derive(Clone)]
pub struct TableSpec {
    /// Root of the table: `s3://bucket/path`, `file:///path`.
    pub url: Url,
    /// Options of the storage, in the keys of delta-rs.
    pub options: HashMap<String, String>,
    /// The topic the table is made from.
    pub topic: String,
    /// Columns that partition a new table.
    pub partition_by: Vec<String>,
    /// The storage at the table's root, instead of the one that `url` and `options` name.
    pub store: Option<Arc<dyn ObjectStore>>,
}

impl TableSpec {
    fn uri(&self) -> String {
        self.url.to_string()
    }
}

/// A table that this process writes, with all it needs to know of it in memory.
pub struct KeyedTable {
    spec: TableSpec,
    delta: DeltaTable,
    columns: Columns,
    /// Columns that the source has got and the next commit adds.
    grown: Option<Columns>,
    files: DataFiles,
    index: KeyIndex,
    progress: PartitionProgress,
    /// A commit was answered with an error and may have landed.
    in_doubt: bool,
}

impl KeyedTable {
    /// How far each partition was applied, as the Delta log has it.
    pub fn progress(&self) -> &PartitionProgress {
        &self.progress
    }

    /// Version of the Delta table.
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// Number of live rows.
    pub fn rows(&self) -> usize {
        self.index.len()
    }

    /// Whether a row of this key is live.
    pub fn has_row(&self, key: KeyHash) -> bool {
        self.index.locate(key).is_some()
    }

    /// Number of live data files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The columns that the next commit writes.
    pub fn columns(&self) -> &Columns {
        self.grown.as_ref().unwrap_or(&self.columns)
    }

    /// Makes room for the columns of the source. New ones are added by the commit that first carries them; a column
    /// whose type changed, or another key, is an error.
    pub fn fit(&mut self, source: &RowSchema) -> Result<&Columns, TableError> {
        let columns = self.columns().grown_by(source)?;
        self.grown = (columns != self.columns).then_some(columns);
        Ok(self.columns())
    }
}

#[cfg(test)]
mod tests;
