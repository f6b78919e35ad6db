//! The rows of a chunk of a copy, on their way into files that the table does not have yet.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;

use super::TableError;
use super::change::WrittenFile;
use super::columns::Columns;
use super::context::Context;
use super::log::PartitionValues;
use super::rewrite::Output;
use super::writer::{Memory, partitions};
use crate::change::rows_in_columns;

/// Partitions whose files are written at the same time: each takes memory.
const OPEN_PARTITIONS: usize = 16;

/// The table whose rows are written.
#[derive(Clone)]
pub struct ChunkTarget {
    pub(super) context: Context,
    pub(super) columns: Columns,
    pub(super) partition_by: Vec<String>,
}

/// Writes the rows of a chunk.
pub struct ChunkWriter {
    table: ChunkTarget,
    /// Bytes that the open files may take together.
    most: usize,
    open: BTreeMap<PartitionValues, Output>,
    written: WrittenChunk,
}

/// Files with the rows of a chunk.
#[derive(Default)]
pub struct WrittenChunk {
    pub(super) files: Vec<WrittenFile>,
    /// How many rows they hold.
    pub rows: u64,
}

impl ChunkWriter {
    /// Nothing is written yet. What is written takes about `memory` bytes of memory, and a little more for a moment: where that does
    /// not do for a file, it is ended before it is as large as files should be.
    pub fn new(table: &ChunkTarget, memory: usize) -> Self {
        Self { table: table.clone(), most: memory, open: BTreeMap::new(), written: WrittenChunk::default() }
    }

    /// Bytes of memory that it takes, about.
    pub fn memory(&self) -> usize {
        self.open.values().map(Output::memory).sum()
    }

    /// Rows that were written.
    pub fn rows(&self) -> u64 {
        self.written.rows
    }

    /// Writes rows of the source.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        let rows = rows_in_columns(rows, self.table.columns.arrow())?;
        self.written.rows += rows.num_rows() as u64;
        let target = Some(self.table.context.spec.maintenance.target_file_bytes);
        for partition in partitions(&rows, &self.table.partition_by)? {
            let own = if self.table.partition_by.is_empty() {
                rows.clone()
            } else {
                take_record_batch(&rows, &UInt32Array::from(partition.at))?
            };
            if !self.open.contains_key(&partition.values) && self.open.len() == OPEN_PARTITIONS {
                self.close().await?;
            }
            let output = match self.open.entry(partition.values) {
                std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    let output = Output::new(&self.table.context, &self.table.columns, vacant.key().clone(), true)?;
                    vacant.insert(output.within(Memory::of(self.most / 4)))
                }
            };
            output.push(own, target).await?;
        }
        while self.memory() > self.most {
            self.end_largest().await?;
        }
        Ok(())
    }

    async fn end_largest(&mut self) -> Result<(), TableError> {
        let largest = self.open.iter().max_by_key(|(_, output)| output.memory()).map(|(values, _)| values.clone());
        match largest.and_then(|values| self.open.remove(&values)) {
            Some(output) => self.end(output).await,
            None => Ok(()),
        }
    }

    async fn end(&mut self, output: Output) -> Result<(), TableError> {
        self.written.files.extend(output.finish().await?.into_iter().map(|written| written.file));
        Ok(())
    }

    async fn close(&mut self) -> Result<(), TableError> {
        for output in std::mem::take(&mut self.open).into_values() {
            self.end(output).await?;
        }
        Ok(())
    }

    /// Ends the last files.
    pub async fn finish(mut self) -> Result<WrittenChunk, TableError> {
        self.close().await?;
        Ok(self.written)
    }

    /// Removes what was written: the chunk was not read to its end. What is being written leaves nothing.
    pub async fn discard(self) {
        let Self { table, written, open, .. } = self;
        drop(open);
        table.context.discard(written.files.iter().map(|file| file.add.path.clone()).collect()).await;
        written.files.iter().for_each(|file| file.keys.remove());
    }
}
