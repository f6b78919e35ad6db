//! The rows of a table at one snapshot, as the Arrow columns that the replicator makes of Debezium's events for them. The rules
//! are those of `docs/types.md`.

mod array;
mod builder;
mod column;
mod frame;
mod number;
mod time;

use std::pin::Pin;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use futures::{Stream, StreamExt};

use self::builder::Builder;
use self::column::Wire;
use self::frame::Frames;
use super::snapshot::{Snapshot, snapshot};
use super::{Column, Naming, Session, SourceError, sql};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch as they came, about, unless it is said otherwise.
const BATCH_BYTES: usize = 4 << 20;

/// A value cannot be what its column becomes in Delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The type in Delta cannot hold it.
    #[error("is out of the range of its type in Delta")]
    OutOfRange,
    /// It is not written as its type says.
    #[error("is not written as its type says")]
    Malformed,
}

/// How the rows of a table are read. Columns that Debezium leaves out are left out here.
#[derive(Clone, Debug)]
pub struct RowReader {
    table: String,
    names: Vec<String>,
    expressions: Vec<String>,
    wires: Vec<Wire>,
    schema: SchemaRef,
}

impl RowReader {
    /// For these columns of `schema.table`, which events name in this way.
    pub fn new(table: &str, columns: &[Column], naming: Naming) -> Self {
        let read = columns.iter().filter(|column| !column.generated).filter_map(|column| {
            let (expression, wire) = column::of(column)?;
            Some((column.name.clone(), expression, wire))
        });
        let (mut names, mut expressions, mut wires) = (Vec::new(), Vec::new(), Vec::new());
        for (name, expression, wire) in read {
            names.push(name);
            expressions.push(expression);
            wires.push(wire);
        }
        let fields = names.iter().zip(&wires).map(|(name, wire)| Field::new(naming.of(name), wire.data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { table: table.to_owned(), names, expressions, wires, schema }
    }

    /// Columns that reach the Delta table with events and cannot be read here: a copy would lack their values.
    pub fn unreadable(columns: &[Column]) -> Vec<&Column> {
        let is_unreadable =
            |column: &&Column| !column.generated && column.is_supported() && column::of(column).is_none();
        columns.iter().filter(is_unreadable).collect()
    }

    /// The columns that it reads, in the table's order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn statement(&self, condition: Option<&str>) -> String {
        let (columns, table) = (self.expressions.join(", "), sql::table(&self.table));
        let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        format!("COPY (SELECT {columns} FROM {table}{condition}) TO STDOUT (FORMAT binary)")
    }

    fn failed(&self, error: tokio_postgres::Error) -> SourceError {
        SourceError::statement(format!("read the rows of {}", self.table))(error)
    }

    fn unknown_form(&self) -> SourceError {
        SourceError::Answer {
            what: "COPY … (FORMAT binary)",
            text: format!("an unknown form of the rows of {}", self.table),
        }
    }

    fn refused(&self, column: usize, error: ValueError) -> SourceError {
        SourceError::Value { table: self.table.clone(), column: self.names[column].clone(), source: error }
    }
}

/// A transaction that reads, and sees the same rows in all its statements. It ends with [`Reading::end`], or with the session.
pub struct Reading<'a> {
    session: &'a Session,
    snapshot: Snapshot,
}

/// What fixes how values are written as text. A chunk takes as long as it takes. Policies that would hide rows are an error.
const SETTINGS: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0;
    SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';
    SET LOCAL row_security = off";

impl<'a> Reading<'a> {
    /// Begins one of `schema.table`. The table is locked before the snapshot is taken, as any query does it: what empties or
    /// rewrites a table does so for older snapshots too, so it has to have ended, or to wait.
    pub async fn begin(session: &'a Session, table: &str) -> Result<Self, SourceError> {
        let doing = || SourceError::statement(format!("begin to read {table}"));
        session.batch_execute(SETTINGS).await.map_err(doing())?;
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", sql::table(table));
        session.batch_execute(&lock).await.map_err(doing())?;
        Ok(Self { session, snapshot: snapshot(session).await? })
    }

    /// The session, for other questions at the same snapshot.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// Which transactions it sees.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Reads the rows for which `condition`, an expression in SQL, holds, or all.
    pub async fn rows<'r>(&self, reader: &'r RowReader, condition: Option<&str>) -> Result<Rows<'r>, SourceError> {
        let stream = self.session.copy_out(&reader.statement(condition)).await;
        let stream = stream.map_err(SourceError::statement(format!("read the rows of {}", reader.table)))?;
        let stream = Box::pin(stream.fuse());
        Ok(Rows { reader, stream, frames: Frames::default(), batch_bytes: BATCH_BYTES, received: 0 })
    }

    /// Ends it.
    pub async fn end(self) -> Result<(), SourceError> {
        self.session.batch_execute("COMMIT").await.map_err(SourceError::statement("end the reading of a snapshot"))
    }
}

/// Rows on their way.
pub struct Rows<'a> {
    reader: &'a RowReader,
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, tokio_postgres::Error>> + Send>>,
    frames: Frames,
    batch_bytes: usize,
    received: u64,
}

impl Rows<'_> {
    /// The same rows in batches that end when they have this many bytes, as they came.
    #[must_use]
    pub fn in_batches_of(self, bytes: usize) -> Self {
        Self { batch_bytes: bytes, ..self }
    }

    /// Bytes that the server has sent for the rows so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let reader = self.reader;
        let mut builders: Vec<Builder> = reader.wires.iter().map(Builder::new).collect();
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS && bytes < self.batch_bytes {
            bytes += match self.frames.row(builders.len()) {
                Some(row) => {
                    let row = row.map_err(|_| reader.unknown_form())?;
                    for (number, value) in row.values().enumerate() {
                        let appended = value.and_then(|value| builders[number].append(value));
                        appended.map_err(|error| reader.refused(number, error))?;
                    }
                    rows += 1;
                    row.bytes()
                }
                None => match self.stream.next().await {
                    Some(Ok(more)) => {
                        self.received += more.len() as u64;
                        self.frames.push(more);
                        0
                    }
                    Some(Err(error)) => return Err(reader.failed(error)),
                    None => break,
                },
            };
        }
        if rows == 0 {
            return if self.frames.is_complete() { Ok(None) } else { Err(reader.unknown_form()) };
        }
        let columns = builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&reader.schema), columns, &options);
        batch.map(Some).map_err(|_| reader.unknown_form())
    }
}
