//! One replicator: opens the table, reads the topic, folds and commits, as the pipeline does.

use std::collections::HashMap;
use std::sync::Arc;

use tributary_replicator::change::{ChangeBatch, Fold, Folded, Op, PartitionProgress, Progress, Verdict};
use tributary_replicator::table::{KeyedTable, TableError, TableSpec};
use url::Url;

use crate::batches::batches;
use crate::shape::Shape;
use crate::store::FaultStore;
use crate::topic::Message;

/// Topic of every table here.
pub(crate) const TOPIC: &str = "shop.public.orders";

/// Attempts of one thing before a process is taken for stuck.
const ATTEMPTS: usize = 200;

/// A running replicator.
pub(crate) struct Process {
    pub store: FaultStore,
    spec: TableSpec,
    table: Option<KeyedTable>,
    fold: Option<Fold>,
    progress: PartitionProgress,
    /// Nothing of its progress is missing in the log.
    clean: bool,
}

/// Why a process ends.
#[derive(Debug)]
pub(crate) enum End {
    /// It was killed.
    Killed,
    /// The engine refuses to go on.
    Stopped(TableError),
    /// The engine says for ever that trying again helps.
    Stuck(TableError),
}

pub(crate) fn spec(shape: &Shape, store: &FaultStore) -> TableSpec {
    TableSpec {
        url: Url::parse("memory:///").unwrap(),
        options: HashMap::new(),
        topic: TOPIC.to_owned(),
        partition_by: shape.partition_by.clone(),
        store: Some(Arc::new(store.clone())),
    }
}

/// Repeats `$attempt` as long as that can help.
macro_rules! persist {
    ($store:expr, $attempt:expr) => {{
        let mut attempts = 0;
        loop {
            let result = $attempt.await;
            attempts += 1;
            match result {
                _ if $store.is_dead() => break Err(End::Killed),
                Ok(done) => break Ok(done),
                Err(error) if !error.is_transient() => break Err(End::Stopped(error)),
                Err(error) if attempts == ATTEMPTS => break Err(End::Stuck(error)),
                Err(_) => {}
            }
        }
    }};
}

impl Process {
    pub(crate) async fn start(shape: &Shape, store: FaultStore) -> Result<Self, End> {
        let spec = spec(shape, &store);
        let table = persist!(store, KeyedTable::open(&spec))?;
        let mut progress = table.as_ref().map(|table| table.progress().clone()).unwrap_or_default();
        progress.entry(0).or_default();
        Ok(Self { store, spec, table, fold: None, progress, clean: true })
    }

    /// The first offset that was not read.
    pub(crate) fn next(&self) -> usize {
        self.progress[&0].next_offset as usize
    }

    /// Everything that was read is in the log.
    pub(crate) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Reads and folds messages that follow.
    pub(crate) async fn read(&mut self, shape: &Shape, topic: &[Message], count: usize) -> Result<(), End> {
        let first = self.next();
        let last = topic.len().min(first + count);
        for batch in batches(shape, &topic[first..last], first) {
            self.fold(&batch).await?;
        }
        let progress = self.progress.entry(0).or_default();
        progress.next_offset = last as i64;
        progress.message_ts_ms = Some(1_000_000 + last as i64);
        self.clean &= last == first;
        Ok(())
    }

    async fn fold(&mut self, batch: &ChangeBatch) -> Result<(), End> {
        let only_truncates = batch.schema.key.is_empty() && batch.events.iter().all(|event| event.op == Op::Truncate);
        if self.table.is_none() {
            if only_truncates {
                return Ok(());
            }
            self.table = Some(persist!(self.store, KeyedTable::create(&self.spec, &batch.schema))?);
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        if !only_truncates {
            table.fit(&batch.schema).map_err(End::Stopped)?;
        }
        let columns = table.columns();
        let new = || Fold::new(Arc::clone(columns.arrow()), columns.key().to_vec()).unwrap();
        let fold = self.fold.get_or_insert_with(new);
        fold.widen(columns.arrow()).unwrap();
        let progress = self.progress.entry(0).or_default();
        fold.push(batch, |event| judge(progress, event)).unwrap();
        Ok(())
    }

    /// The topic ends with nothing that has to be committed.
    pub(crate) fn forget(&mut self) {
        self.clean |= self.fold.as_ref().is_none_or(Fold::is_empty);
    }

    /// A commit would part the halves of a key change.
    pub(crate) fn may_commit(&self) -> bool {
        self.fold.as_ref().is_none_or(|fold| !fold.awaits_new_key())
    }

    /// Commits what was read, if anything; gives up when the process ends.
    pub(crate) async fn commit(&mut self) -> Result<bool, End> {
        let (Some(fold), Some(table)) = (self.fold.as_mut().filter(|fold| !fold.is_empty()), &mut self.table) else {
            return Ok(false);
        };
        let folded: Folded = fold.take().unwrap();
        persist!(self.store, table.commit(&folded, &self.progress))?;
        self.clean = true;
        Ok(true)
    }
}

fn judge(progress: &mut Progress, event: &tributary_replicator::change::Event) -> Verdict {
    let verdict = progress.judge(event);
    if verdict != Verdict::Skip {
        progress.advance(event);
    }
    verdict
}
