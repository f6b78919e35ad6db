//! What those say that a table is reached through: the storage, the kernel, the reader and writer of Parquet files.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use super::ErrorKind;
use crate::storage::Trouble;

pub(super) fn storage_kind(error: &object_store::Error) -> ErrorKind {
    use object_store::Error;
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    }
}

pub(super) fn kernel_kind(error: &buoyant_kernel::Error) -> ErrorKind {
    use buoyant_kernel::Error;
    match error {
        Error::ObjectStore(error) => storage_kind(error),
        Error::FileNotFound(_) | Error::DeletionVector(_) | Error::MissingData(_) => ErrorKind::Damaged,
        _ => ErrorKind::Unavailable,
    }
}

/// What is wrong with a log that trying again does not help.
pub(super) fn damage(error: &buoyant_kernel::Error) -> Option<String> {
    use buoyant_kernel::Error;
    match error {
        Error::MalformedJson(_) | Error::Arrow(ArrowError::JsonError(_) | ArrowError::ParseError(_)) => {
            Some(format!("a version of it cannot be read ({error})"))
        }
        Error::InvalidCheckpoint(_)
        | Error::MissingMetadata
        | Error::MissingProtocol
        | Error::MissingMetadataAndProtocol
        | Error::InvalidProtocol(_) => Some(error.to_string().trim_end_matches('.').to_owned()),
        // The kernel tells it in no other way, and names all it knows of the two files beside the gap.
        Error::Generic(text) if text.contains("found gap") => Some("versions between others are missing".to_owned()),
        _ => None,
    }
}

pub(super) fn parquet_kind(error: &ParquetError) -> ErrorKind {
    of_storage(error).map_or(ErrorKind::Damaged, storage_kind)
}

/// What the storage said, however deep it is: a writer hands it on as an I/O error.
pub(super) fn of_storage(error: &ParquetError) -> Option<&object_store::Error> {
    let mut error: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = match (error.downcast_ref::<ParquetError>(), error.downcast_ref::<std::io::Error>()) {
            (Some(ParquetError::External(source)), _) => source.as_ref(),
            (_, Some(io)) => io.get_ref()?,
            _ => error.source()?,
        };
    }
}

pub(super) fn without_backtrace(error: buoyant_kernel::Error) -> buoyant_kernel::Error {
    match error {
        buoyant_kernel::Error::Backtraced { source, .. } => without_backtrace(*source),
        error => error,
    }
}

/// What to do about an error of the storage of the table at `uri`, as a sentence.
pub(super) fn advice(error: &object_store::Error, uri: &str) -> String {
    let advice = Trouble::of(error, uri).advice();
    let (first, rest) = advice.split_at_checked(1).unwrap_or_default();
    format!(". {}{rest}", first.to_uppercase())
}

/// The same, of what the kernel says; empty when that is not of the storage.
pub(super) fn kernel_advice(error: &buoyant_kernel::Error, uri: &str) -> String {
    match error {
        buoyant_kernel::Error::ObjectStore(error) => advice(error, uri),
        _ => String::new(),
    }
}

/// The same, of what a reader or writer of a data file says.
pub(super) fn parquet_advice(error: &ParquetError, uri: &str) -> String {
    of_storage(error).map(|error| advice(error, uri)).unwrap_or_default()
}
