//! What can go wrong with a table, and of what kind it is.

mod cause;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use self::cause::{
    advice, damage, kernel_advice, kernel_kind, of_storage, parquet_advice, parquet_kind, storage_kind,
    without_backtrace,
};
use super::index::IndexError;

/// Why a table could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The storage could not be read or written.
    #[error("cannot {doing} the Delta table at {uri}{}", advice(source, uri))]
    Storage {
        /// What was tried: `open`, `write`, …
        doing: &'static str,
        /// Address of the table.
        uri: String,
        /// What the storage said.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The Delta log could not be read or checkpointed.
    #[error("cannot {doing} the Delta table at {uri}{}", kernel_advice(source, uri))]
    Log {
        /// What was tried.
        doing: &'static str,
        /// Address of the table.
        uri: String,
        /// What the kernel said.
        #[source]
        source: Box<buoyant_kernel::Error>,
    },
    /// The Delta log is not what a log must be: it stays so until somebody repairs it.
    #[error(
        "the log of the Delta table at {uri} is damaged: {problem}. Restore the files of its _delta_log if the storage keeps \
             versions, or move the table away and start it again: its rows are copied then"
    )]
    DamagedLog {
        /// Address of the table.
        uri: String,
        /// What is wrong.
        problem: String,
    },
    /// A data file could not be read.
    #[error("cannot read the data file {path} of the Delta table at {uri}{}", parquet_advice(source, uri))]
    ReadDataFile {
        /// Address of the table.
        uri: String,
        /// Path below the table.
        path: String,
        /// What the reader said.
        #[source]
        source: Box<ParquetError>,
    },
    /// A data file could not be written: the storage refuses it, or is full.
    #[error("cannot write the data file {path} of the Delta table at {uri}{}", parquet_advice(source, uri))]
    WriteDataFile {
        /// Address of the table.
        uri: String,
        /// Path below the table.
        path: String,
        /// What the writer said.
        #[source]
        source: Box<ParquetError>,
    },
    /// A file that the log names is gone.
    #[error(
        "{path} belongs to the Delta table at {uri} and is not there: somebody removed it from the storage. Restore it \
             if the storage keeps versions, or have the table copied anew (the annotation tributary.dev/resync, or \
             `replicator resync`)"
    )]
    MissingFile {
        /// Address of the table.
        uri: String,
        /// Path below the table.
        path: String,
    },
    /// A file of the table does not hold what the log says.
    #[error(
        "{path} of the Delta table at {uri} is damaged ({problem}). Restore it if the storage keeps versions, or have the \
             table copied anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    Damaged {
        /// Address of the table.
        uri: String,
        /// Path below the table.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody switched on a feature of the table that we cannot write.
    #[error(
        "the Delta table at {uri} uses {feature}, which the replicator cannot write. Switch it off (ALTER TABLE … DROP \
             FEATURE, or UNSET TBLPROPERTIES), or move the table away and start it again: its rows are copied then"
    )]
    Unsupported {
        /// Address of the table.
        uri: String,
        /// Name of the feature.
        feature: String,
    },
    /// Somebody else changed rows of the table.
    #[error(
        "version {version} of the Delta table at {uri} changed rows: {who}. The table differs from its source since then. \
             {}",
        undone(*version)
    )]
    ForeignChange {
        /// Address of the table.
        uri: String,
        /// Version of that commit.
        version: u64,
        /// Operation, engine and user.
        who: String,
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
    /// Another replicator copies rows into the same table.
    #[error(
        "another replicator copies the source's rows into the Delta table at {uri}: version {version} is a part of its copy. \
             Stop one of the two, then restart the other"
    )]
    SecondCopy {
        /// Address of the table.
        uri: String,
        /// Version that the other one made.
        version: u64,
    },
    /// The source table has no key.
    #[error(
        "the source table has no primary key, so its rows cannot be told apart. Add a primary key, or set \
             `message.key.columns` of the connector to columns that identify a row"
    )]
    NoKey,
    /// The columns of the source do not fit those of the table.
    #[error(
        "column {column}: the Delta table holds {table}, the source now sends {source_type}. Have the table \
             copied anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    ColumnType {
        /// Name of the column.
        column: String,
        /// Type in the table.
        table: String,
        /// Type at the source.
        source_type: String,
    },
    /// The source has a column whose name differs from that of one of the table only by case.
    #[error(
        "column {column} of the source is {table} in the Delta table, and Delta takes the two for the same. Have the table copied \
             anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    ColumnCase {
        /// Name at the source.
        column: String,
        /// Name in the table.
        table: String,
    },
    /// The key of the source table changed.
    #[error(
        "the key of the source table changed from ({table}) to ({source_key}). Have the table copied anew \
             (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    KeyChanged {
        /// Key columns of the table.
        table: String,
        /// Key columns at the source.
        source_key: String,
    },
    /// `partitionBy` or `clusterBy` does not fit the table, or a row does not fit `partitionBy`.
    #[error("{field}: {problem}")]
    Layout {
        /// The field of the resource.
        field: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An update left a TOAST value out, and the table has no row to take it from.
    #[error(
        "an event leaves column {column} out because it did not change, and the table has no row to take the value \
             from. Set REPLICA IDENTITY FULL on the source table, or have the table copied \
             anew (the annotation tributary.dev/resync, or `replicator resync`)"
    )]
    UnknownValue {
        /// Name of the column.
        column: String,
    },
    /// Columns could not be brought into the form of the table.
    #[error("cannot bring the rows into the columns of the Delta table")]
    Columns(#[from] ArrowError),
    /// The key index could not be read or written.
    #[error(transparent)]
    Index(IndexError),
    /// A task of our own ended in the middle of its work.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What helps against a [`TableError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The storage, the index's disk or the network: trying again helps when they are well again.
    Unavailable,
    /// Access is refused: somebody can grant it.
    Denied,
    /// Somebody else did something to the table, or is at it: they can undo it, or stop.
    Foreign,
    /// A file is missing or damaged: somebody can restore it.
    Damaged,
    /// Source and table do not fit: somebody has to decide.
    Mismatch,
    /// A fault of ours.
    Internal,
}

impl TableError {
    /// What helps against it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage { source, .. } => storage_kind(source),
            Self::Log { source, .. } => kernel_kind(source),
            Self::ReadDataFile { source, .. } | Self::WriteDataFile { source, .. } => parquet_kind(source),
            Self::Index(IndexError::Io { .. }) => ErrorKind::Unavailable,
            Self::Index(IndexError::Damaged { .. })
            | Self::DamagedLog { .. }
            | Self::MissingFile { .. }
            | Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Unsupported { .. }
            | Self::ForeignChange { .. }
            | Self::NotOurs { .. }
            | Self::SecondWriter { .. }
            | Self::SecondCopy { .. } => ErrorKind::Foreign,
            Self::NoKey
            | Self::ColumnType { .. }
            | Self::ColumnCase { .. }
            | Self::KeyChanged { .. }
            | Self::Layout { .. }
            | Self::UnknownValue { .. }
            | Self::Columns(_) => ErrorKind::Mismatch,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// The same again can help, without anybody doing anything here.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Denied)
    }

    pub(super) fn storage(doing: &'static str, uri: &str) -> impl FnOnce(object_store::Error) -> Self + use<> {
        let uri = uri.to_owned();
        move |source| Self::Storage { doing, uri, source: Box::new(source) }
    }

    pub(super) fn log(doing: &'static str, uri: &str) -> impl FnOnce(buoyant_kernel::Error) -> Self + use<> {
        let uri = uri.to_owned();
        move |source| match without_backtrace(source) {
            buoyant_kernel::Error::Unsupported(text) => Self::Unsupported { uri, feature: feature_of(&text) },
            source => match damage(&source) {
                Some(problem) => Self::DamagedLog { uri, problem },
                None => Self::Log { doing, uri, source: Box::new(source) },
            },
        }
    }

    /// A data file that is not there is another matter than one that cannot be reached.
    pub(super) fn read_data_file(uri: &str, path: &str) -> impl FnOnce(ParquetError) -> Self + use<> {
        let (uri, path) = (uri.to_owned(), path.to_owned());
        move |source| match of_storage(&source) {
            Some(object_store::Error::NotFound { .. }) => Self::MissingFile { uri, path },
            Some(_) => Self::ReadDataFile { uri, path, source: Box::new(source) },
            None => Self::Damaged { uri, path, problem: source.to_string() },
        }
    }

    /// What the storage did not refuse was ours to write.
    pub(super) fn write_data_file(uri: &str, path: &str) -> impl FnOnce(ParquetError) -> Self + use<> {
        let (uri, path) = (uri.to_owned(), path.to_owned());
        move |source| match of_storage(&source) {
            Some(_) => Self::WriteDataFile { uri, path, source: Box::new(source) },
            None => Self::Internal(format!("the data file {path} cannot be written: {source}")),
        }
    }
}

/// How a commit of somebody else is undone; nothing is before the first.
fn undone(version: u64) -> String {
    let anew = "ave the table copied anew (the annotation tributary.dev/resync, or `replicator resync`)";
    match version.checked_sub(1) {
        Some(before) => format!("Undo it (RESTORE TABLE … TO VERSION AS OF {before}) or h{anew}"),
        None => format!("H{anew}"),
    }
}

/// The name in a sentence of the kernel such as `Feature 'x' is not supported for writes`.
fn feature_of(text: &str) -> String {
    text.split('\'').nth(1).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::describe;

    #[test]
    fn a_feature_is_named_and_not_the_sentence_about_it() {
        let kernel = buoyant_kernel::Error::Unsupported("Feature 'x' is not supported for writes".to_owned());
        let text = TableError::log("open", "memory:///t")(kernel).to_string();
        assert!(text.contains("uses x, which the replicator cannot write"), "{text}");
    }

    fn refused() -> object_store::Error {
        let source = "403 Forbidden: <Error><Code>AccessDenied</Code></Error>".into();
        object_store::Error::PermissionDenied { path: "f".to_owned(), source }
    }

    #[test]
    fn what_the_storage_refuses_says_where_and_what_to_do() {
        let external = || ParquetError::External(Box::new(refused()));
        let log = buoyant_kernel::Error::ObjectStore(refused());
        for (error, what) in [
            (
                TableError::storage("commit to", "s3://lake/t")(refused()),
                "cannot commit to the Delta table at s3://lake/t: ",
            ),
            (TableError::log("open", "s3://lake/t")(log), "cannot open the Delta table at s3://lake/t: "),
            (
                TableError::read_data_file("s3://lake/t", "f")(external()),
                "cannot read the data file f of the Delta table at s3://lake/t: ",
            ),
            (
                TableError::write_data_file("s3://lake/t", "f")(external()),
                "cannot write the data file f of the Delta table at s3://lake/t: ",
            ),
        ] {
            let text = describe(&error);
            assert!(text.starts_with(what) && text.contains("AccessDenied"), "{text}");
            assert!(text.contains(". Allow s3:PutObject, s3:GetObject"), "{text}");
            assert_eq!(error.kind(), ErrorKind::Denied);
        }
    }

    #[test]
    fn a_bucket_that_is_gone_while_a_file_is_written_is_no_file_that_somebody_removed() {
        let source = "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>".into();
        let gone = object_store::Error::NotFound { path: "f".to_owned(), source };
        let io = ParquetError::External(Box::new(std::io::Error::other(gone)));
        let error = TableError::write_data_file("s3://lake/t", "f")(io);
        assert!(matches!(error, TableError::WriteDataFile { .. }), "{error}");
        assert!(error.to_string().contains("Create the bucket"), "{error}");
        assert!(error.is_transient());
    }

    #[test]
    fn a_column_of_another_type_is_cured_by_a_copy_alone() {
        let (column, table, source_type) = ("a".to_owned(), "Int32".to_owned(), "Utf8".to_owned());
        let text = TableError::ColumnType { column, table, source_type }.to_string();
        assert!(text.contains("copied anew") && !text.contains("back"), "{text}");
    }
}
