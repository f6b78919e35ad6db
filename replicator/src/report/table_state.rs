//! The state of one table, as `/tables` and `replicator status` give it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tributary_crds::TablePhase as Phase;

/// State of one table, as `/tables` gives it. Holds no values of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// The table as `schema.table`.
    pub name: String,
    /// Where its Delta table is.
    pub target: String,
    /// What is happening to it.
    pub phase: Phase,
    /// Live rows of the Delta table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How much of what is in the topic was applied, while the snapshot runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_percent: Option<u8>,
    /// The last position of the source that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Seconds since the moment up to which the Delta table is known to be complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Bytes of the source's log that are not in the Delta table, as of the last look at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
    /// Messages in the topic that were not applied yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_messages: Option<u64>,
    /// Version of the Delta table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_version: Option<u64>,
    /// Commits of this process.
    pub commits: u64,
    /// When the last of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<Timestamp>,
    /// Whether it is compared with its source: the replicator reads the database, and copied the table, or will. `None` until
    /// that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<bool>,
    /// What is waited for, or what went wrong and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a person should know although it works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
