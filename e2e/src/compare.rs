//! Is a Delta table equal to its Postgres table, row by row?
//!
//! Postgres is read by SQL, Delta by the independent reader; both are brought to one text form and matched by key.

mod canonical;
mod postgres;
mod report;
mod rows;
mod wait;

use thiserror::Error;
use tokio_postgres::Client;

use crate::oracle::{Oracle, OracleError, TableLocation};
use postgres::SourceTable;
use rows::{Keyed, Layout};

pub use report::{Difference, Findings, TableReport, Verdict};
pub use wait::wait_until_equal;

/// A source table and the Delta table that should equal it.
#[derive(Clone, Debug)]
pub struct TablePair {
    source: String,
    target: TableLocation,
}

impl TablePair {
    /// `source` is `schema.table` as SQL writes it, quotes included where it needs them.
    pub fn new(source: &str, target: TableLocation) -> Self {
        Self { source: source.to_string(), target }
    }

    /// The source table's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where the Delta table is.
    pub fn target(&self) -> &TableLocation {
        &self.target
    }
}

/// Why a comparison did not end in "equal".
#[derive(Debug, Error)]
pub enum CompareError {
    /// Both sides could be read and are not equal.
    #[error("{0}")]
    Different(Difference),
    /// The Delta table could not be read.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// Postgres could not be read.
    #[error("cannot read {table} from Postgres")]
    Postgres {
        /// The source table.
        table: String,
        /// What Postgres said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The source table cannot be matched by key.
    #[error("{0} is not a table with a primary key")]
    NoKey(String),
}

/// Compares all rows of all tables, Postgres in one snapshot. The `Client` must not be inside a transaction.
pub async fn equal(pg: &Client, oracle: &Oracle, tables: &[TablePair]) -> Result<Verdict, CompareError> {
    postgres::begin(pg).await?;
    let reports = compare_all(pg, oracle, tables).await;
    postgres::end(pg).await?;
    let reports = reports?;
    if reports.iter().all(TableReport::is_equal) {
        Ok(Verdict { tables: reports })
    } else {
        Err(CompareError::Different(Difference { tables: reports }))
    }
}

async fn compare_all(pg: &Client, oracle: &Oracle, tables: &[TablePair]) -> Result<Vec<TableReport>, CompareError> {
    let mut reports = Vec::with_capacity(tables.len());
    for pair in tables {
        reports.push(compare_table(pg, oracle, pair).await?);
    }
    Ok(reports)
}

async fn compare_table(pg: &Client, oracle: &Oracle, pair: &TablePair) -> Result<TableReport, CompareError> {
    let source = SourceTable::describe(pg, &pair.source).await?;
    let header = oracle.schema(&pair.target).await?;
    let mut report = TableReport::new(&pair.source, header.version, source.columns.len());
    let layout = Layout::new(&source, &header, &mut report.problems);
    let Some(layout) = layout else { return Ok(report) };
    let read = oracle
        .read(&pair.target, move |read, rows| {
            // A table that was copied anew meanwhile.
            if read.columns != header.columns {
                return Ok(None);
            }
            let mut keyed = Keyed::default();
            for row in rows {
                keyed.insert(&layout, &row?);
            }
            Ok(Some((keyed, layout)))
        })
        .await?;
    let Some((mut target, layout)) = read else {
        report.problems.push("the columns of the Delta table changed while it was read".to_owned());
        return Ok(report);
    };
    postgres::stream(pg, &source, &layout, |row| target.take(&layout, row, &mut report)).await?;
    target.report_rest(&layout, &mut report);
    Ok(report)
}
