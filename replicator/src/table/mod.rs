//! A Delta table as a keyed store: locate, land, adopt; and what keeps it small.
//!
//! An update costs what it weighs: the key index finds the old row, a deletion vector removes it, the new row is
//! appended. Rows, offsets and source position are one commit.

mod adopt;
mod change;
mod chunk;
mod clock;
mod columns;
mod commit;
mod context;
mod copied;
mod create;
mod data_file;
mod deletion_vector;
mod dictionaries;
mod error;
mod foreign;
mod index;
mod kernel;
mod log;
mod maintain;
mod new_files;
mod open;
mod opening;
mod parquet_file;
mod partition;
mod progress;
mod protocol;
mod recent;
mod rewrite;
mod shadow;
mod spec;
mod state;
mod stats;
mod stored_values;
mod writer;

pub use chunk::{ChunkTarget, ChunkWriter, WrittenChunk};
pub use clock::Clock;
pub use columns::Columns;
pub use commit::{Committed, Stages};
pub use error::{ErrorKind, TableError};
pub use index::IndexError;
pub use maintain::{Done, Job, Lane, Maintained, Maintenance, TableStats, Window, Work};
pub use opening::Opening;
pub use shadow::{Copies, Shadow, Successor, applied};
pub use spec::TableSpec;
pub use tributary_crds::Writes;

use std::sync::atomic::AtomicUsize;

use crate::change::{KeyHash, PartitionProgress, RowSchema};
use commit::Pending;
use context::Context;
use data_file::RowLocation;
use maintain::Schedule;
use state::State;

/// A table that this process writes, with all it needs to know of it.
pub struct KeyedTable {
    context: Context,
    state: State,
    /// Columns of table and source together, when the source has got more: the next commit adds them.
    grown: Option<Columns>,
    /// What the next commit says of the copy.
    copy: Option<String>,
    pending: Option<Pending>,
    schedule: Schedule,
    stored_value_bytes: AtomicUsize,
}

impl KeyedTable {
    fn of(context: Context, state: State) -> Self {
        let schedule = Schedule::new(state.version);
        let stored_value_bytes = AtomicUsize::new(stored_values::UNKNOWN_BYTES);
        Self { context, state, grown: None, copy: None, pending: None, schedule, stored_value_bytes }
    }

    /// How far each partition was applied, as the Delta log has it.
    pub fn progress(&self) -> &PartitionProgress {
        &self.state.progress
    }

    /// Version of the Delta table.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// Number of live rows.
    pub fn rows(&self) -> u64 {
        self.state.files.rows()
    }

    /// For each key, whether a row of it is live.
    pub async fn has_rows(&self, keys: Vec<KeyHash>) -> Result<Vec<bool>, TableError> {
        Ok(self.locate(keys).await?.iter().map(Option::is_some).collect())
    }

    /// Number of live data files.
    pub fn files(&self) -> usize {
        self.state.files.len()
    }

    /// The columns that the next commit writes.
    pub fn columns(&self) -> &Columns {
        self.grown.as_ref().unwrap_or(&self.state.columns)
    }

    /// Makes room for the columns of the source. New ones are added by the commit that first carries them; a column
    /// whose type changed, or another key, is an error.
    pub fn fit(&mut self, source: &RowSchema) -> Result<&Columns, TableError> {
        let columns = self.columns().grown_by(source)?;
        if columns != self.state.columns {
            self.grown = Some(columns);
        }
        Ok(self.columns())
    }

    /// Where the live row of each key is, whatever their order.
    async fn locate(&self, keys: Vec<KeyHash>) -> Result<Vec<Option<RowLocation>>, TableError> {
        let mut numbered: Vec<(KeyHash, u32)> = keys.into_iter().zip(0..).collect();
        numbered.sort_unstable();
        let sorted: Vec<KeyHash> = numbered.iter().map(|(key, _)| *key).collect();
        let mut located = vec![None; numbered.len()];
        let found = index::locate(&self.context, &self.state.files, sorted).await?;
        for ((_, number), location) in numbered.into_iter().zip(found) {
            located[number as usize] = location;
        }
        Ok(located)
    }
}

#[cfg(test)]
mod tests;
