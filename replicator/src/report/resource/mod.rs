//! The status of the CdcReplication: this process tells Kubernetes about its own tables, and about nothing else.
//!
//! Each shard applies its entries of `status.tables` on the server, as a field manager of its own. What it no longer
//! applies is removed, so a table that moved to another shard or left the resource needs no further care.

mod api;
mod content;
mod error;
mod pace;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tributary_crds::TableStatus;

use self::api::StatusApi;
pub use self::api::{ResourceName, ResourceNameError};
use self::error::ReportError;
use self::pace::Pace;
use super::{Board, describe};
use crate::settings::Shard;

/// How often it is looked whether there is something to tell.
const TICK: Duration = Duration::from_millis(500);

/// Tells the resource about the tables on `board` until `stop`. That this does not succeed is logged, once for each
/// reason, and holds up nothing else.
pub async fn report_to(resource: ResourceName, shard: Shard, board: Board, stop: CancellationToken) {
    let mut reporter = Reporter::new(resource, shard, board);
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
    started: Timestamp,
    api: Option<StatusApi>,
    /// What shards that are gone had said was taken back.
    released: bool,
    pace: Pace,
    /// What was last said to go wrong.
    trouble: Option<String>,
}

impl Reporter {
    fn new(resource: ResourceName, shard: Shard, board: Board) -> Self {
        let (started, pace) = (Timestamp::now(), Pace::default());
        Self { resource, shard, board, started, api: None, released: false, pace, trouble: None }
    }

    /// Tells what is worth telling now.
    async fn step(&mut self, now: Instant) {
        let tables = content::entries(self.board.tables(Timestamp::now()));
        let Some(tables) = self.pace.due(now, tables) else { return };
        match self.tell(&tables).await {
            Ok(()) => {
                self.pace.told(now, tables);
                if self.trouble.take().is_some() {
                    info!(resource = %self.resource, "the resource's status is reported again");
                }
            }
            Err(error) => {
                // What a shard that is gone still holds on to may be in the way.
                self.released = false;
                self.pace.failed(now);
                self.complain(describe(&error));
            }
        }
    }

    async fn tell(&mut self, tables: &[TableStatus]) -> Result<(), ReportError> {
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

    fn complain(&mut self, words: String) {
        if self.trouble.as_ref() != Some(&words) {
            warn!(resource = %self.resource, "the resource's status cannot be reported, replication goes on: {words}");
            self.trouble = Some(words);
        }
    }
}

#[cfg(test)]
mod tests;
