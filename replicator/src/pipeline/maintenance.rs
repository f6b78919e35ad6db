//! Maintenance of a table beside its writing: begins what is due, and hands over what was done to be landed.

use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::policy::Policy;
use crate::report::{TableHandle, describe};
use crate::table::{Done, ErrorKind, KeyedTable, Lane, TableError, Work};

/// One table is looked after in each lane at a time, whatever the number of tables: the others write meanwhile.
static LOG_TURN: Semaphore = Semaphore::const_new(1);
static SHORT_TURN: Semaphore = Semaphore::const_new(1);
static LONG_TURN: Semaphore = Semaphore::const_new(1);

/// How soon it is looked again whether something is due when nothing is committed.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// What is being done for one table.
#[derive(Default)]
pub(super) struct Maintenance {
    running: JoinSet<Done>,
    /// When to look whether something is due; at once when there is no time.
    look_at: Option<Instant>,
}

impl Maintenance {
    /// The table has changed.
    pub(super) fn committed(&mut self) {
        self.look_at = None;
    }

    /// Begins what is due. When to come again.
    pub(super) fn begin(&mut self, table: &mut KeyedTable) -> Option<Instant> {
        let now = Instant::now();
        if self.look_at.is_none_or(|look_at| look_at <= now) {
            self.look_at = Some(now + LOOK_INTERVAL);
            while let Some(work) = table.maintenance(Timestamp::now()) {
                self.spawn(work);
            }
        }
        self.look_at
    }

    fn spawn(&mut self, work: Work) {
        let runtime = Handle::current();
        // Decoding and encoding whole files would hold up whoever shares the thread.
        self.running.spawn_blocking(move || {
            runtime.block_on(async {
                let turn = match work.lane() {
                    Lane::Log => &LOG_TURN,
                    Lane::Short => &SHORT_TURN,
                    Lane::Long => &LONG_TURN,
                };
                let _turn = turn.acquire().await;
                work.run().await
            })
        });
    }

    /// Waits for what is being done; for ever while nothing is.
    pub(super) async fn done(&mut self) -> Result<Done, JoinError> {
        match self.running.join_next().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    /// Lands what was done. An error is one that ends the table: what only kept the work from being done is told, and
    /// the work comes again.
    pub(super) async fn finish(
        &mut self,
        table: &mut KeyedTable,
        done: Result<Done, JoinError>,
        report: &TableHandle,
    ) -> Result<(), TableError> {
        self.look_at = None;
        // What a panic says may hold a value: it stands in the log of the process alone.
        let done =
            done.map_err(|_| TableError::Internal("maintenance panicked, at the place that the log says".into()))?;
        let job = done.job();
        match table.finish(done, Timestamp::now()).await {
            Ok(maintained) => report.maintained(&maintained, table.version()),
            Err(error) if ends_table(&error) => return Err(error),
            Err(error) => report.maintenance_failed(job, Policy::TryAgain, &describe(&error)),
        }
        Ok(())
    }
}

/// A table that differs from what we know of it must not be written on.
fn ends_table(error: &TableError) -> bool {
    matches!(error.kind(), ErrorKind::Foreign | ErrorKind::Damaged | ErrorKind::Internal)
}
