//! The data files of a commit: its new rows, a file for each partition, and the keys of each.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::change::WrittenFile;
use super::writer::{FileWriter, Partition, partitions};
use super::{Committed, KeyedTable, TableError};
use crate::change::{Folded, KeyHash};

impl KeyedTable {
    /// Writes the new rows and their keys; `keys`: those of the rows, with the number of each.
    pub(super) async fn write(
        &self,
        folded: &Folded,
        keys: &[(KeyHash, u32)],
        id: Uuid,
    ) -> Result<(Vec<WrittenFile>, Committed), TableError> {
        let mut report = Committed::default();
        let started = Instant::now();
        let stored = self.stored_values(folded).await?;
        report.stages.read = started.elapsed();
        let started = Instant::now();
        let rows = folded.rows(&stored)?;
        let mut written = Vec::new();
        for (number, partition) in partitions(&rows, &self.state.metadata.partition_columns)?.into_iter().enumerate() {
            let name = format!("part-{number:05}-{id}.zstd.parquet");
            let keys = if partition.at.len() == keys.len() { keys.to_vec() } else { keys_at(folded, &partition.at) };
            let file = self.write_file(&name, partition, keys).await?;
            report.files_written += 1;
            report.bytes_written += file.add.size as u64;
            written.push(file);
        }
        report.stages.write = started.elapsed();
        Ok((written, report))
    }

    /// Writes one file, and its keys on another thread.
    async fn write_file(
        &self,
        name: &str,
        partition: Partition,
        keys: Vec<(KeyHash, u32)>,
    ) -> Result<WrittenFile, TableError> {
        let Partition { values, rows, .. } = partition;
        let mut writer = FileWriter::new(&self.context, name, values, self.columns(), &rows)?;
        let (index, path) = (self.context.index(&self.state.columns)?, writer.path().to_owned());
        let keys = self.context.blocking(move |_| Ok(index.write(&path, keys)?));
        let file = async {
            writer.write(&rows).await?;
            writer.close(true).await
        };
        let (keys, add) = tokio::join!(keys, file);
        let keys = keys?;
        if add.is_err() {
            keys.remove();
        }
        Ok(WrittenFile { add: add?, keys: Arc::new(keys) })
    }
}

/// The keys of the new rows in ascending order, each with the number of its row.
pub(super) fn sorted_keys(folded: &Folded) -> Vec<(KeyHash, u32)> {
    let mut keys: Vec<_> = folded.upserted().zip(0..).collect();
    keys.sort_unstable();
    keys
}

/// The keys of some of the new rows, numbered anew.
fn keys_at(folded: &Folded, rows: &[u32]) -> Vec<(KeyHash, u32)> {
    let keys: Vec<KeyHash> = folded.upserted().collect();
    rows.iter().map(|&row| keys[row as usize]).zip(0..).collect()
}
