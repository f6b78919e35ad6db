//! What can go wrong with a table, and whether trying again can help.

use arrow_schema::ArrowError;
use deltalake::DeltaTableError;

/// Why a table could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The storage or the Delta log could not be read or written.
    #[error("cannot {doing} the Delta table at {uri}")]
    Storage {
        /// What was tried: `open`, `write`, …
        doing: &'static str,
        /// Address of the table.
        uri: String,
        /// What the storage said.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A data file could not be read.
    #[error("cannot read the data file {path} of the Delta table")]
    DataFile {
        /// Path below the table.
        path: String,
        /// What the reader said.
        #[source]
        source: Box<parquet::errors::ParquetError>,
    },
    /// Somebody else made a table where ours should be.
    #[error(
        "{uri} is a Delta table that this replication did not make ({found}); it is left untouched. Choose another \
             `target` for the table, or move the existing one away"
    )]
    NotOurs {
        /// Address of the table.
        uri: String,
        /// What is known of its maker.
        found: String,
    },
    /// Another replicator writes the same table.
    #[error(
        "another replicator writes the Delta table at {uri}: it applied partition {partition} up to offset {theirs}, \
             this one up to {ours}. Stop one of the two, then restart the other"
    )]
    SecondWriter {
        /// Address of the table.
        uri: String,
        /// Partition of the topic.
        partition: i32,
        /// Next offset in the log.
        theirs: i64,
        /// Next offset that this process applied.
        ours: i64,
    },
    /// The source table has no key.
    #[error(
        "the source table has no primary key, so its rows cannot be told apart. Add a primary key, or set \
             `message.key.columns` of the connector to columns that identify a row"
    )]
    NoKey,
    /// The columns of the source do not fit those of the table.
    #[error(
        "column {column}: the Delta table holds {table}, the source now sends {source_type}. Move the table away to \
             have it made anew from a snapshot, or change the column back"
    )]
    ColumnType {
        /// Name of the column.
        column: String,
        /// Type in the table.
        table: String,
        /// Type at the source.
        source_type: String,
    },
    /// The key of the source table changed.
    #[error(
        "the key of the source table changed from ({table}) to ({source_key}). Move the Delta table away to have it \
             made anew from a snapshot"
    )]
    KeyChanged {
        /// Key columns of the table.
        table: String,
        /// Key columns at the source.
        source_key: String,
    },
    /// `partitionBy` does not fit the table.
    #[error("partitionBy: {problem}")]
    PartitionBy {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Two rows of the table have the same key.
    #[error(
        "the Delta table at {uri} holds two rows with one key (in {first} and {second}): something else wrote to it. \
             Move it away to have it made anew from a snapshot"
    )]
    DuplicateKey {
        /// Address of the table.
        uri: String,
        /// A data file that has the row.
        first: String,
        /// Another one, or the same.
        second: String,
    },
    /// An update left a TOAST value out, and the table has no row to take it from.
    #[error(
        "an event leaves column {column} out because it did not change, and the table has no row to take the value \
             from. Set REPLICA IDENTITY FULL on the source table, or have it made anew from a snapshot"
    )]
    UnknownValue {
        /// Name of the column.
        column: String,
    },
    /// Columns could not be brought into the form of the table.
    #[error("cannot bring the rows into the columns of the Delta table")]
    Columns(#[from] ArrowError),
    /// A deletion vector could not be written or read.
    #[error("cannot {doing} a deletion vector of the Delta table at {uri}")]
    DeletionVector {
        /// `read` or `write`.
        doing: &'static str,
        /// Address of the table.
        uri: String,
        /// What the kernel said.
        #[source]
        source: Box<buoyant_kernel::Error>,
    },
}

impl TableError {
    /// Trying again later can help, without anybody doing anything here.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Storage { .. } | Self::DataFile { .. } | Self::DeletionVector { .. })
    }

    pub(super) fn storage(doing: &'static str, uri: &str) -> impl FnOnce(DeltaTableError) -> Self {
        let uri = uri.to_owned();
        move |source| Self::Storage { doing, uri, source: Box::new(source) }
    }
}
