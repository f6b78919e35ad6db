//! The status of the CdcReplication: this process tells Kubernetes about its own tables, and about nothing else.
//!
//! Each shard applies its entries of `status.tables` on the server, as a field manager of its own. What it no longer
//! applies is removed, so a table that moved to another shard or left the resource needs no further care.

mod annotation;
mod api;
mod content;
mod error;
mod pace;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tributary_crds::TableStatus;

use self::annotation::Asked;
use self::api::StatusApi;
pub use self::api::{ResourceName, ResourceNameError};
use self::error::ReportError;
use self::pace::Pace;
use super::{Board, Restarts, Resyncs, describe};
use crate::settings::Shard;

/// How often it is looked whether there is something to tell.
const TICK: Duration = Duration::from_millis(500);

/// Tells the resource about the tables on `board` until `stop`, and takes from it which tables to start again or to copy anew. That
/// this does not succeed is logged, once for each reason, and holds up nothing else.
pub async fn report_to(
    resource: ResourceName,
    shard: Shard,
    board: Board,
    (restarts, resyncs): (Restarts, Resyncs),
    stop: CancellationToken,
) {
    let mut reporter = Reporter::new(resource, shard, board, (restarts, resyncs));
    let mut tick = tokio::time::interval(TICK);
    loop {
        let step = async {
            tick.tick().await;
            reporter.step(Instant::now()).await;
        };
        tokio::select! {
            () = step => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Reporter {
    resource: ResourceName,
    shard: Shard,
    board: Board,
    restarts: Restarts,
    resyncs: Resyncs,
    asked: Asked,
    started: Timestamp,
    api: Option<StatusApi>,
    /// What shards that are gone had said was taken back.
    released: bool,
    pace: Pace,
    /// What was last said to go wrong.
    warned: Option<String>,
}

impl Reporter {
    fn new(resource: ResourceName, shard: Shard, board: Board, (restarts, resyncs): (Restarts, Resyncs)) -> Self {
        let (started, asked, pace) = (Timestamp::now(), Asked::default(), Pace::default());
        Self {
            resource,
            shard,
            board,
            restarts,
            resyncs,
            asked,
            started,
            api: None,
            released: false,
            pace,
            warned: None,
        }
    }

    /// Tells what is worth telling now.
    async fn step(&mut self, now: Instant) {
        let tables = content::entries(self.board.tables(Timestamp::now()));
        let Some(tables) = self.pace.due(now, tables) else { return };
        match self.tell(&tables).await {
            Ok(annotations) => {
                self.start_again(annotations.get(annotation::RESTART).map(String::as_str));
                self.copy_anew(annotations.get(annotation::RESYNC).map(String::as_str));
                self.pace.told(now, tables);
                if self.warned.take().is_some() {
                    info!(resource = %self.resource, "the resource's status is reported again");
                }
            }
            Err(error) => {
                // What a shard that is gone still holds on to may be in the way.
                self.released = false;
                self.pace.failed(now);
                self.warn_once(describe(&error));
            }
        }
    }

    /// Another shard's tables are its own business.
    fn start_again(&mut self, annotation: Option<&str>) {
        for table in self.asked.new_in(annotation) {
            if self.restarts.restart(&table) {
                info!(table, "the annotation {} asks for a restart", annotation::RESTART);
            }
        }
    }

    /// A wish is said to tables of other shards as well, which nobody here asks about.
    fn copy_anew(&self, annotation: Option<&str>) {
        let wishes = annotation::wishes(annotation);
        for (table, wish) in &wishes {
            if self.resyncs.ask(table, wish) && self.restarts.restart(table) {
                info!(table, "the annotation {} asks for a copy anew", annotation::RESYNC);
            }
        }
        for table in self.resyncs.keep(&wishes) {
            if let Some(report) = self.board.find(&table) {
                report.resync_refused(false);
            }
        }
    }

    /// Tells it; what the annotations of the resource are.
    async fn tell(&mut self, tables: &[TableStatus]) -> Result<BTreeMap<String, String>, ReportError> {
        let api = match self.api.take() {
            Some(api) => api,
            None => StatusApi::new(api::client().await?, &self.resource, self.shard),
        };
        let api = self.api.insert(api);
        if !self.released {
            api.release_those_gone(self.started).await?;
            self.released = true;
        }
        api.apply(tables).await
    }

    fn warn_once(&mut self, words: String) {
        if self.warned.as_ref() != Some(&words) {
            warn!(resource = %self.resource, "the resource's status cannot be reported, replication goes on: {words}");
            self.warned = Some(words);
        }
    }
}

#[cfg(test)]
mod tests;
