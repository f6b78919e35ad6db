//! Why a table cannot be copied.

use tributary_sources::postgres::SourceError;

/// Why a table cannot be copied from its source, or is not compared with it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be asked, or has a value that no column of Delta holds.
    #[error("{}", .0.finding())]
    Source(#[from] SourceError),
    /// There is no such table.
    #[error("the source has no table {table}: create it, or take it out of spec.tables")]
    NoTable {
        /// The table as `schema.table`.
        table: String,
    },
    /// Rows that a copy would have and no event would follow, or the other way round.
    #[error("the source table {what}")]
    Refused {
        /// What is the case and what to do, as the end of a sentence about the table.
        what: String,
    },
    /// Columns that arrive with events and cannot be read yet.
    #[error(
        "a first copy cannot read the types of these columns yet: {columns}. Drop them, or change their types, or take the \
         table out of spec.tables"
    )]
    UnreadableColumns {
        /// Names and types.
        columns: String,
    },
    /// What the log of the table says of its copy is damaged.
    #[error(
        "the property tributary.copy of the Delta table is not what a replicator wrote ({0}): restore it from an earlier \
         version of the table, or move the table away to have it copied again"
    )]
    Record(#[source] serde_json::Error),
}
