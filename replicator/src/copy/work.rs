//! A worker of a copy: reads chunks and writes their rows into files, each in a short transaction of its own.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tributary_sources::postgres::{self, Range, Reading, Session, differences};

use super::begin::Origin;
use super::plan::Plan;
use super::{Allowance, CopyError, CopySource};
use crate::consume::Held;
use crate::pipeline::{Anew, Backoff, PipelineError};
use crate::report::TableHandle;
use crate::table::{ChunkTarget, ChunkWriter, WrittenChunk};

/// What is known of a chunk that was read.
pub(super) struct Read {
    pub(super) range: Range,
    pub(super) snapshot: String,
    pub(super) written: WrittenChunk,
}

/// Rows of a table, as a range and as a condition in SQL.
type Part = (Range, Option<String>);

/// What is known of a chunk whose rows are read and whose files are not complete.
struct Unfinished {
    part: Part,
    snapshot: String,
    writer: ChunkWriter,
    memory: Held,
}

/// What all workers share.
pub(super) struct Shared {
    pub(super) source: CopySource,
    pub(super) origin: Origin,
    pub(super) target: ChunkTarget,
    pub(super) plan: Mutex<Plan>,
    pub(super) report: TableHandle,
}

impl Shared {
    /// Reads and writes chunks until none is left; the files of one are completed while the next one is read. One that fails for
    /// a moment is read again.
    pub(super) async fn work(self: Arc<Self>, chunks: mpsc::Sender<Read>) -> Result<(), PipelineError> {
        let (mut backoff, mut parts, mut unfinished) = (Backoff::new(), Vec::new(), None::<Unfinished>);
        while !chunks.is_closed() {
            let finishing = unfinished.as_ref().map(|unfinished| unfinished.part.clone());
            let (finished, read) =
                tokio::join!(Box::pin(finish(unfinished.take(), &chunks)), Box::pin(self.next(&mut parts)));
            match (finished, read) {
                (Ok(()), Ok(None)) => return Ok(()),
                (Ok(()), Ok(next)) => (unfinished, backoff) = (next, Backoff::new()),
                (finished, read) => {
                    if finished.is_err() {
                        parts.extend(finishing);
                    }
                    let results = [finished, read.map(|next| unfinished = next)];
                    for error in results.into_iter().filter_map(Result::err) {
                        tokio::time::sleep(backoff.after(error, &self.report)?).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the next chunk, in one transaction, which is not begun before there is memory for it. The last of `parts` is what is being read, so that nobody else reads it when this
    /// fails.
    async fn next(&self, parts: &mut Vec<Part>) -> Result<Option<Unfinished>, PipelineError> {
        let Allowance { connections, room, pace } = &*self.source.allowance;
        let mut memory = room.take().await;
        pace.turn().await;
        let permit = connections.acquire().await;
        let _permit = permit.map_err(|error| PipelineError::Internal(error.to_string()))?;
        let session = self.source.connect().await.map_err(CopyError::from)?;
        let reading = Reading::begin(&session, &self.source.table.name).await.map_err(CopyError::from)?;
        self.refuse_other_table(&session).await?;
        if parts.is_empty() {
            let per_second = pace.per_second().map(|bytes| bytes / self.source.settings.connections.max(1) as u64);
            let part = self.plan.lock().await.next(&session, &self.source.table.name, per_second).await;
            parts.extend(part.map_err(CopyError::from)?);
        }
        let Some((_, condition)) = parts.last() else { return Ok(None) };
        let writer = self.write(&reading, condition.as_deref(), &mut memory).await?;
        let snapshot = reading.snapshot().to_string();
        if let Err(error) = reading.end().await {
            writer.discard().await;
            return Err(CopyError::from(error).into());
        }
        Ok(parts.pop().map(|part| Unfinished { part, snapshot, writer, memory }))
    }

    /// All chunks are of one table.
    async fn refuse_other_table(&self, session: &Session) -> Result<(), PipelineError> {
        let (schema, table) = self.source.names();
        let name = || CopyError::NoTable { table: self.source.table.name.clone() };
        let now = postgres::catalogue(session, schema, table).await.map_err(CopyError::from)?.ok_or_else(name)?;
        match differences(&self.origin.record.catalogue, &now).into_iter().next() {
            None if now.columns.len() == self.origin.record.catalogue.columns.len() => Ok(()),
            None => Err(PipelineError::CopyAnew(Anew::unfollowed("the source table has other columns now"))),
            Some(difference) => {
                Err(PipelineError::CopyAnew(Anew::unfollowed(format!("the source table {}", difference.what))))
            }
        }
    }

    async fn write(
        &self,
        reading: &Reading<'_>,
        condition: Option<&str>,
        memory: &mut Held,
    ) -> Result<ChunkWriter, PipelineError> {
        let Allowance { room, pace, .. } = &*self.source.allowance;
        let rows = reading.rows(&self.origin.reader, condition).await.map_err(CopyError::from)?;
        let mut rows = rows.in_batches_of(pace.batch(room.batch()));
        let mut writer = ChunkWriter::new(&self.target, room.chunk());
        loop {
            let (began, before) = (pace.turn().await, rows.received());
            let batch = rows.next().await;
            pace.read(began, rows.received() - before);
            let written = match batch {
                Ok(Some(batch)) => {
                    // A single row may take more than a chunk is given.
                    memory.grow(room.chunk().max(writer.memory() + batch.get_array_memory_size()));
                    writer.write(&batch).await.map_err(PipelineError::from)
                }
                Ok(None) => {
                    self.plan.lock().await.read(writer.rows(), rows.received());
                    return Ok(writer);
                }
                Err(error) => Err(CopyError::from(error).into()),
            };
            if let Err(error) = written {
                writer.discard().await;
                return Err(error);
            }
        }
    }
}

/// Completes the files of a chunk, and has it committed.
async fn finish(unfinished: Option<Unfinished>, chunks: &mpsc::Sender<Read>) -> Result<(), PipelineError> {
    let Some(Unfinished { part: (range, _), snapshot, writer, memory }) = unfinished else { return Ok(()) };
    let written = writer.finish().await?;
    drop(memory);
    // Who waits for chunks no more does not need this one.
    let _ = chunks.send(Read { range, snapshot, written }).await;
    Ok(())
}
