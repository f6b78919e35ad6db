//! What `/tables` says, read as a client of it would.

use serde::Deserialize;
use tributary_crds::{TablePhase, TableStatus};

/// One table, as the replicator reports it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableView {
    /// The table as `schema.table`.
    pub name: String,
    /// What is happening to it.
    pub phase: Phase,
    /// Live rows of the Delta table.
    pub rows: Option<u64>,
    /// The last position of the source that was applied.
    pub position: Option<String>,
    /// How old what is known to be complete is.
    pub lag_seconds: Option<f64>,
    /// Bytes of the source's log that are not in the table.
    pub lag_bytes: Option<u64>,
    /// Messages that were not applied yet.
    pub lag_messages: Option<u64>,
    /// Version of the Delta table.
    pub delta_version: Option<u64>,
    /// Commits of the process.
    pub commits: u64,
    /// Whether it is compared with its source.
    pub compared: Option<bool>,
    /// What is waited for, or what went wrong and what to do.
    pub message: Option<String>,
    /// What a person should know although it works.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What is happening to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Phase {
    /// Something it needs is not there yet.
    Waiting,
    /// The rows that the source already had are being copied.
    Snapshotting,
    /// Changes are followed.
    Streaming,
    /// A commit did not succeed and is tried again.
    Retrying,
    /// It stopped and needs somebody.
    Stopped,
}

impl From<&TableView> for TableStatus {
    /// As the replicator writes it into the status of its resource.
    fn from(view: &TableView) -> Self {
        let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        Self {
            name: view.name.clone(),
            phase: view.phase.into(),
            rows: whole(view.rows),
            snapshot_percent: None,
            lag_seconds: view.lag_seconds.map(|seconds| seconds.round() as i64),
            lag_bytes: whole(view.lag_bytes),
            delta_version: whole(view.delta_version),
            position: view.position.clone(),
            compared: view.compared,
            message: view.message.clone(),
        }
    }
}

impl From<Phase> for TablePhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Waiting => Self::Waiting,
            Phase::Snapshotting => Self::Snapshotting,
            Phase::Streaming => Self::Streaming,
            Phase::Retrying => Self::Retrying,
            Phase::Stopped => Self::Stopped,
        }
    }
}
