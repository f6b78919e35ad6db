//! The last step: both sides read independently and compared, told as a table.

use tokio_postgres::Client;

use super::columns::{aligned, row};
use super::figures::grouped;
use super::view::short;
use crate::compare::{CompareError, TablePair, TableReport, equal};
use crate::oracle::Oracle;

/// What the comparison of all tables found.
pub(super) struct Found {
    reports: Vec<TableReport>,
}

/// Reads and compares all rows of all tables.
pub(super) async fn compare(source: &Client, reader: &Oracle, pairs: &[TablePair]) -> Result<Found, CompareError> {
    match equal(source, reader, pairs).await {
        Ok(verdict) => Ok(Found { reports: verdict.tables }),
        Err(CompareError::Different(difference)) => Ok(Found { reports: difference.tables }),
        Err(error) => Err(error),
    }
}

impl Found {
    pub(super) fn is_equal(&self) -> bool {
        self.reports.iter().all(TableReport::is_equal)
    }

    /// The table of what was found.
    pub(super) fn lines(&self) -> Vec<String> {
        let header = ["table", "rows in Postgres", "rows in Delta", "equal rows", "columns", "Delta version"];
        aligned(&header, &self.reports.iter().map(cells).collect::<Vec<_>>())
    }

    /// The verdict in one sentence, or what is different.
    pub(super) fn sentence(&self) -> String {
        if self.is_equal() {
            let rows: u64 = self.reports.iter().map(|report| report.equal).sum();
            return format!("EQUAL: all {} rows, in every column", grouped(rows));
        }
        let different = self.reports.iter().filter(|report| !report.is_equal());
        different.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

fn cells(report: &TableReport) -> Vec<String> {
    row([
        short(&report.table).to_owned(),
        grouped(report.equal + report.changed.count + report.missing.count),
        grouped(report.equal + report.changed.count + report.surplus.count + report.duplicates.count),
        grouped(report.equal),
        report.columns.to_string(),
        report.version.to_string(),
    ])
}
