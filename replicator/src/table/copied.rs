//! A copy of the source's rows into the table: where it begins, its parts, and what the log says of it. That text is kept in a
//! property of the table, which needs no feature that other writers may lack.

use super::chunk::{ChunkTarget, WrittenChunk};
use super::columns::Columns;
use super::commit::Task;
use super::{Committed, KeyedTable, TableError, create};
use crate::change::{Folded, PartitionProgress, RowSchema};

impl KeyedTable {
    /// What the log says of the copy; `None` of a table whose rows all came with events.
    pub fn copy_record(&self) -> Option<&str> {
        self.state.metadata.configuration.get(create::COPY).map(String::as_str)
    }

    /// Begins a copy: all rows that are there go, and the columns are those of the source. Until the copy is done the topic
    /// stays at `progress`. After a transient error, call it again with the same arguments.
    pub async fn begin_copy(
        &mut self,
        source: &RowSchema,
        record: &str,
        progress: &PartitionProgress,
    ) -> Result<Committed, TableError> {
        let columns = Columns::of_source(source)?.with_seed_of(&self.state.columns);
        let folded = Folded::truncate(std::sync::Arc::clone(self.state.columns.arrow()));
        let task =
            Task { copy: Some(record), files: Some(&[]), columns: Some(&columns), ..Task::of(&folded, progress) };
        self.commit_task(task).await
    }

    /// What the rows of chunks are written with. It needs the table no more, so that several are written at a time.
    pub fn chunk_target(&self) -> ChunkTarget {
        ChunkTarget {
            context: self.context.clone(),
            columns: self.state.columns.clone(),
            partition_by: self.state.metadata.partition_columns.clone(),
        }
    }

    /// Puts a chunk into the table. No row of it has a key that the table has. After a transient error, call it again with the
    /// same arguments.
    pub async fn commit_chunk(&mut self, chunk: &WrittenChunk, record: &str) -> Result<Committed, TableError> {
        let folded = Folded::empty(std::sync::Arc::clone(self.state.columns.arrow()));
        let progress = self.state.progress.clone();
        let files = Some(chunk.files.as_slice());
        let task = Task { copy: Some(record), files, ..Task::of(&folded, &progress) };
        self.commit_task(task).await
    }

    /// The next commit says this of the copy.
    pub fn record_copy(&mut self, record: String) {
        if self.copy_record() != Some(&record) {
            self.copy = Some(record);
        }
    }
}
