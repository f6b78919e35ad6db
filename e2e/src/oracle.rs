//! The independent reader of every comparison: Delta's own Java kernel, which shares no code with what we write with.
//!
//! One `Oracle` is one JVM that answers any number of reads. Tables on S3 are first copied to a local directory, byte for
//! byte, because Hadoop's S3 client alone weighs more than everything else here.

mod build;
mod copy;
mod location;
mod process;
mod schema;

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

pub use location::TableLocation;
pub use process::Rows;
pub use schema::{Column, DeltaType, Header, Nested, Row};

use copy::{Copies, Part};
use process::{Process, Request};

/// Why a table could not be read independently.
#[derive(Debug, Error)]
pub enum OracleError {
    /// What the program stands on could not be fetched.
    #[error("cannot fetch what the oracle stands on")]
    Fetch(#[source] anyhow::Error),
    /// Java is not there.
    #[error("cannot run `java`, which the oracle needs; on Debian: apt-get install default-jre-headless")]
    NoJava {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The program and its libraries do not fit together.
    #[error("cannot compile the oracle: {0}")]
    Compile(String),
    /// The cache directory or a copy of a table could not be written, or the JVM's pipe broke.
    #[error("the oracle cannot {what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The address is not one of a table that can be read.
    #[error("{uri} is not the address of a table: {reason}")]
    Address {
        /// The address.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The object store refused or failed.
    #[error("cannot copy the table {uri} to read it")]
    Copy {
        /// The table's address.
        uri: String,
        /// What the object store said.
        #[source]
        source: object_store::Error,
    },
    /// The kernel refused the table.
    #[error("the Delta kernel cannot read {uri}: {reason}")]
    Table {
        /// The table's address.
        uri: String,
        /// The kernel's words.
        reason: String,
    },
    /// The JVM said something that is not the oracle's answer.
    #[error("the oracle gave an answer that is not one: {0}")]
    Answer(String),
}

/// A running reader. Cheap to clone; clones share the JVM and take turns.
#[derive(Clone)]
pub struct Oracle {
    process: Arc<Mutex<Process>>,
    copies: Arc<Copies>,
}

impl Oracle {
    /// Builds the program if the cache does not have it yet, and starts its JVM.
    pub async fn start() -> Result<Self, OracleError> {
        let copies = Arc::new(Copies::new()?);
        let folder = copies.folder().to_owned();
        let process = blocking(move || Process::start(&build::class_path()?, &folder)).await?;
        Ok(Self { process: Arc::new(Mutex::new(process)), copies })
    }

    /// Downloads and builds the program, and starts nothing.
    pub async fn fetch() -> Result<(), OracleError> {
        blocking(|| build::class_path().map(drop)).await
    }

    /// The latest version of a table and its columns.
    pub async fn schema(&self, table: &TableLocation) -> Result<Header, OracleError> {
        self.ask(table, Request::Schema, Part::Log, |header, _| Ok(header)).await
    }

    /// The latest version of a table and its number of rows, both from the log alone: quick, but only as true as the log.
    pub async fn count(&self, table: &TableLocation) -> Result<(i64, u64), OracleError> {
        self.ask(table, Request::Count, Part::Log, |header, rows| Ok((header.version, rows.finish()?))).await
    }

    /// Reads a table's rows, in no particular order, and gives them to `fold`, which runs on a blocking thread.
    pub async fn read<T: Send + 'static>(
        &self,
        table: &TableLocation,
        fold: impl FnOnce(Header, &mut Rows<'_>) -> Result<T, OracleError> + Send + 'static,
    ) -> Result<T, OracleError> {
        self.ask(table, Request::Rows, Part::Everything, fold).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        table: &TableLocation,
        request: Request,
        part: Part,
        fold: impl FnOnce(Header, &mut Rows<'_>) -> Result<T, OracleError> + Send + 'static,
    ) -> Result<T, OracleError> {
        let path = self.copies.local(table, part).await?;
        let (process, uri) = (Arc::clone(&self.process), table.uri().to_string());
        blocking(move || process.lock().unwrap_or_else(PoisonError::into_inner).ask(request, &path, &uri, fold)).await
    }
}

/// Reads one whole table in a JVM of its own; for more than one table, keep an [`Oracle`].
pub async fn read(table: &TableLocation) -> Result<Vec<Row>, OracleError> {
    Oracle::start().await?.read(table, |_, rows| rows.collect()).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OracleError> + Send + 'static,
) -> Result<T, OracleError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => std::panic::resume_unwind(join.into_panic()),
    }
}
