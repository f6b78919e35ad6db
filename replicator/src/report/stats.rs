//! What a table's storage and index weigh, for the metrics.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::metrics::{Label, add, label};
use crate::table::TableStats;

type Gauges = Family<Label, Gauge>;

/// The gauges that say so.
pub(super) struct StatsMetrics {
    files: Gauges,
    small_files: Gauges,
    deleted_rows: Gauges,
    log_versions: Gauges,
    index_bytes: Gauges,
    index_memory_bytes: Gauges,
    data_bytes: Gauges,
}

impl StatsMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            files: add(r, "files", "Live data files of the Delta table", Family::default()),
            small_files: add(r, "small_files", "Live data files that compaction would merge", Family::default()),
            deleted_rows: add(r, "deleted_rows", "Rows that deletion vectors hide", Family::default()),
            log_versions: add(r, "log_versions", "Versions of the log since its last checkpoint", Family::default()),
            index_bytes: add(r, "index_bytes", "Bytes of the key index", Family::default()),
            index_memory_bytes: add(r, "index_memory_bytes", "Those of them that are in memory", Family::default()),
            data_bytes: add(r, "data_bytes", "Bytes of the live data files", Family::default()),
        }
    }

    pub(super) fn files(&self, table: &str, files: u64) {
        self.files.get_or_create(&label(table)).set(files as i64);
    }

    pub(super) fn show(&self, table: &str, stats: &TableStats) {
        let label = label(table);
        let known = [
            (&self.files, stats.files as u64),
            (&self.small_files, stats.small_files as u64),
            (&self.deleted_rows, stats.deleted_rows),
            (&self.log_versions, stats.log_versions),
            (&self.index_bytes, stats.index_bytes),
            (&self.index_memory_bytes, stats.index_memory_bytes),
            (&self.data_bytes, stats.data_bytes),
        ];
        for (gauge, value) in known {
            gauge.get_or_create(&label).set(value as i64);
        }
    }
}
