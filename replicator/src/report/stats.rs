//! What a table's storage and index weigh, for the metrics.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::metrics::{Label, add, label};

/// What a table's storage and index weigh now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Live data files.
    pub files: u64,
    /// Those that compaction would merge.
    pub small_files: u64,
    /// Live rows.
    pub rows: u64,
    /// Rows of live files that deletion vectors hide.
    pub deleted_rows: u64,
    /// Versions in the log that can still be read.
    pub log_versions: u64,
    /// Bytes of the key index on disk.
    pub index_bytes_disk: u64,
    /// Bytes of the key index in memory.
    pub index_bytes_memory: u64,
    /// Bytes of the live data files.
    pub data_bytes: u64,
    /// Files that belong to no version and wait for the clean-up.
    pub dead_files: u64,
}

type Gauges = Family<Label, Gauge>;

/// The gauges that say so.
pub(super) struct StatsMetrics {
    files: Gauges,
    small_files: Gauges,
    deleted_rows: Gauges,
    log_versions: Gauges,
    index_bytes_disk: Gauges,
    index_bytes_memory: Gauges,
    data_bytes: Gauges,
    dead_files: Gauges,
}

impl StatsMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            files: add(r, "files", "Live data files of the Delta table", Family::default()),
            small_files: add(r, "small_files", "Live data files that compaction would merge", Family::default()),
            deleted_rows: add(r, "deleted_rows", "Rows that deletion vectors hide", Family::default()),
            log_versions: add(r, "log_versions", "Versions of the Delta log that can be read", Family::default()),
            index_bytes_disk: add(r, "index_disk_bytes", "Bytes of the key index on disk", Family::default()),
            index_bytes_memory: add(r, "index_memory_bytes", "Bytes of the key index in memory", Family::default()),
            data_bytes: add(r, "data_bytes", "Bytes of the live data files", Family::default()),
            dead_files: add(r, "dead_files", "Files of no version that wait for the clean-up", Family::default()),
        }
    }

    pub(super) fn files(&self, table: &str, files: u64) {
        self.files.get_or_create(&label(table)).set(files as i64);
    }

    pub(super) fn show(&self, table: &str, stats: &TableStats) {
        let label = label(table);
        let known = [
            (&self.files, stats.files),
            (&self.small_files, stats.small_files),
            (&self.deleted_rows, stats.deleted_rows),
            (&self.log_versions, stats.log_versions),
            (&self.index_bytes_disk, stats.index_bytes_disk),
            (&self.index_bytes_memory, stats.index_bytes_memory),
            (&self.data_bytes, stats.data_bytes),
            (&self.dead_files, stats.dead_files),
        ];
        for (gauge, value) in known {
            gauge.get_or_create(&label).set(value as i64);
        }
    }
}
