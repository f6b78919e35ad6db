//! The rows of a table, chunk by chunk: read and written by several workers, committed by one.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tributary_sources::postgres::{self, Membership, differences};

use super::begin::{self, Origin};
use super::plan::Plan;
use super::speed::Speed;
use super::work::{Read, Shared};
use super::{Chunk, CopyError, CopyRecord, CopySource};
use crate::change::{PartitionProgress, Progress};
use crate::consume::Consumer;
use crate::pipeline::{Backoff, PipelineError};
use crate::report::TableHandle;
use crate::table::{Committed, KeyedTable, TableError, TableSpec, WrittenChunk};

/// What a table is copied with.
pub struct Copying<'a> {
    /// The database.
    pub source: &'a CopySource,
    /// The Delta table.
    pub spec: &'a TableSpec,
    /// Knows where topics end.
    pub consumer: &'a Consumer,
    /// Where to say how it goes.
    pub report: &'a TableHandle,
    /// Told to stop.
    pub stop: &'a CancellationToken,
}

/// The table with a complete copy: one that is not complete is completed, and with `anew` it is made again from its beginning.
/// `None` when told to stop before. A table that has followed its topic since before there were copies stays as it is.
pub async fn ensure(
    copying: &Copying<'_>,
    table: Option<KeyedTable>,
    anew: bool,
) -> Result<Option<KeyedTable>, PipelineError> {
    let ensured = copying.stop.run_until_cancelled(copying.ensure(table, anew));
    Box::pin(ensured).await.transpose()
}

impl Copying<'_> {
    async fn ensure(&self, table: Option<KeyedTable>, anew: bool) -> Result<KeyedTable, PipelineError> {
        let (mut table, mut origin) = match self.begun(table, anew).await? {
            Begun::Complete(table) => return Ok(*table),
            Begun::Not(table) => self.begin(table.map(|table| *table)).await?,
            Begun::Partly(table, origin) => (*table, *origin),
        };
        loop {
            match self.copy(&mut table, &mut origin).await {
                Ok(()) => return Ok(table),
                Err(PipelineError::CopyAnew(anew)) => {
                    self.report.noted(&format!("the copy begins again: {}", anew.why));
                    (table, origin) = self.begin(Some(table)).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How far the copy of a table is, by its log and by what the source is now.
    async fn begun(&self, table: Option<KeyedTable>, anew: bool) -> Result<Begun, PipelineError> {
        let Some(table) = table else { return Ok(Begun::Not(None)) };
        let record = table.copy_record().map(CopyRecord::parse).transpose()?;
        Ok(match record {
            _ if anew => Begun::Not(Some(Box::new(table))),
            // Made before there were copies. If no change of the stream followed the rows of the connector's own snapshot, they may
            // not be all.
            None if table.progress().values().all(|progress| progress.position.is_none()) => {
                Begun::Not(Some(Box::new(table)))
            }
            None => Begun::Complete(Box::new(table)),
            Some(record) if record.is_complete() => Begun::Complete(Box::new(table)),
            Some(record) => {
                let now = self.retry(|| begin::origin(self.source, Membership::default())).await?;
                let session = self.retry(|| async { self.source.connect().await.map_err(CopyError::from) }).await?;
                let membership = self.source.membership(&session).await.map_err(CopyError::from)?;
                let is_same = now.record.system == record.system
                    && now.record.timeline == record.timeline
                    && membership.is_some_and(|membership| record.is_of(membership))
                    && differences(&record.catalogue, &now.record.catalogue).is_empty();
                if is_same {
                    Begun::Partly(Box::new(table), Box::new(Origin { record, ..now }))
                } else {
                    Begun::Not(Some(Box::new(table)))
                }
            }
        })
    }

    /// Begins a copy; rows that the table has go.
    async fn begin(&self, table: Option<KeyedTable>) -> Result<(KeyedTable, Origin), PipelineError> {
        // What cannot be copied at all need not be published first.
        let origin = self.retry(|| begin::origin(self.source, Membership::default())).await?;
        if origin.schema.key.is_empty() {
            return Err(TableError::NoKey.into());
        }
        // Before the barrier: what was in the topic by then, every chunk contains.
        let progress = self.ends().await?;
        let membership = self.retry(|| begin::barrier(self.source, self.report)).await?;
        let origin = self.retry(|| begin::origin(self.source, membership)).await?;
        let mut table = match table {
            Some(table) => table,
            None => self.retry(|| KeyedTable::create(self.spec, &origin.schema)).await?,
        };
        let text = origin.record.to_text();
        let mut backoff = Backoff::new();
        while let Err(error) = table.begin_copy(&origin.schema, &text, &progress).await {
            tokio::time::sleep(backoff.after(error.into(), self.report)?).await;
        }
        Ok((table, origin))
    }

    /// Where the topic ends: from there on it is followed.
    pub(crate) async fn ends(&self) -> Result<PartitionProgress, PipelineError> {
        let mut backoff = Backoff::new();
        loop {
            match self.consumer.find_ends(&self.spec.topic).await {
                Ok(ends) => {
                    let progress =
                        |(partition, next_offset)| (partition, Progress { next_offset, ..Progress::default() });
                    return Ok(ends.into_iter().map(progress).collect());
                }
                Err(why) => self.report.waiting(&why),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Copies what is not copied yet, and says in the log that all is.
    async fn copy(&self, table: &mut KeyedTable, origin: &mut Origin) -> Result<(), PipelineError> {
        let record = &mut origin.record.clone();
        let oids: Vec<u32> = record.catalogue.storage.iter().map(|storage| storage.oid).collect();
        let session = self.retry(|| async { self.source.connect().await.map_err(CopyError::from) }).await?;
        let expected = postgres::estimated_rows(&session, &oids).await.map_err(CopyError::from)?;
        drop(session);
        let (speed, started) = (Speed::new(table.rows(), expected), Instant::now());
        self.report.copying(speed.percent(table.rows()), "the copy begins");
        let shared = Arc::new(Shared {
            source: self.source.clone(),
            origin: origin.clone(),
            target: table.chunk_target(),
            plan: Mutex::new(Plan::new(origin.column.clone(), record.gaps(), record.chunks.len())),
            report: self.report.clone(),
        });
        let mut workers = JoinSet::new();
        let (sender, mut chunks) = mpsc::channel(1);
        for _ in 0..self.source.settings.connections {
            workers.spawn(Arc::clone(&shared).work(sender.clone()));
        }
        drop(sender);
        loop {
            let read = tokio::select! {
                read = chunks.recv() => read,
                Some(worker) = workers.join_next() => {
                    ended(worker)?;
                    continue;
                }
            };
            let Some(Read { range, snapshot, written }) = read else { break };
            record.add(Chunk { range, snapshot });
            let (begun, committed) = (Instant::now(), self.commit(table, &written, record).await?);
            self.report.copied_rows(&committed, written.rows, begun.elapsed(), table.progress());
            let rows = table.rows();
            self.report.copying(speed.percent(rows), &speed.words(rows, started.elapsed()));
        }
        while let Some(worker) = workers.join_next().await {
            ended(worker)?;
        }
        let end = self.retry(|| async {
            let session = self.source.connect().await?;
            let end = self.source.position(&session).await?.lsn;
            // So that the connector has something to deliver that is behind it; if this fails, its own next tick is.
            let _ = postgres::tick(&session).await;
            Ok::<_, CopyError>(end)
        });
        record.ended_at = Some(end.await?.into());
        self.commit(table, &WrittenChunk::default(), record).await?;
        self.report.noted(&format!("{} rows are copied", table.rows()));
        Ok(())
    }

    async fn commit(
        &self,
        table: &mut KeyedTable,
        chunk: &WrittenChunk,
        record: &CopyRecord,
    ) -> Result<Committed, PipelineError> {
        let (text, mut backoff) = (record.to_text(), Backoff::new());
        loop {
            match table.commit_chunk(chunk, &text).await {
                Ok(committed) => return Ok(committed),
                Err(error) => tokio::time::sleep(backoff.after(error.into(), self.report)?).await,
            }
        }
    }

    async fn retry<T, E: Into<PipelineError>, F: Future<Output = Result<T, E>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, PipelineError> {
        let mut backoff = Backoff::new();
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => tokio::time::sleep(backoff.after(error.into(), self.report)?).await,
            }
        }
    }
}

fn ended(worker: Result<Result<(), PipelineError>, JoinError>) -> Result<(), PipelineError> {
    worker.map_err(|error| PipelineError::Internal(format!("a worker of a copy has ended: {error}")))?
}

/// How far the copy of a table is.
enum Begun {
    Not(Option<Box<KeyedTable>>),
    Partly(Box<KeyedTable>, Box<Origin>),
    Complete(Box<KeyedTable>),
}
