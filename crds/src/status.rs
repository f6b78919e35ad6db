//! What the operator reports about a replication.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the replication is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CdcReplicationStatus {
    /// The generation of the resource that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` sums up `SourceReady`, `KafkaReady`, `ConnectorReady` and `ReplicatorReady`, and says no when a table has
    /// stopped. `CaughtUp` says whether the Delta tables follow their sources. While the operator leaves the resource alone, `ReconciliationPaused` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many of the tables follow the changes of their source: `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables_ready: Option<String>,
    /// How far the table that is furthest behind is behind its source, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// Tables that were taken out of the resource. Their topics are deleted with those of the others by
    /// `deletionPolicy: Delete`, and no other topics are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub former_tables: Vec<String>,
    /// The state of each table, as the replicator's pods report it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tables: Vec<TableStatus>,
}

/// The state of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableStatus {
    /// The table as `schema.table`.
    pub name: String,
    /// What is happening to the table.
    pub phase: TablePhase,
    /// Rows of the Delta table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    /// How much of the first copy is done, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub snapshot_percent: Option<i32>,
    /// How far the Delta table is behind the source, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// How many bytes of the source's log are not in the Delta table, as of the last look at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// The newest version of the Delta table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_version: Option<i64>,
    /// The last position of the source (for Postgres its LSN) that is in the Delta table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Whether the table is compared with its source, so that a change that no event says is seen. It is not when an earlier
    /// version made it, or when `replicator.copy.connections` is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<bool>,
    /// What is wrong and what to do, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What is happening to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TablePhase {
    /// Something it needs is not there yet, such as its topic; it goes on by itself.
    #[default]
    Waiting,
    /// The rows that the source already had are being copied.
    Snapshotting,
    /// Changes are followed.
    Streaming,
    /// A commit did not succeed and is tried again; `message` says why.
    Retrying,
    /// It failed and needs somebody; the other tables go on.
    Stopped,
}

impl TablePhase {
    /// The table makes progress or has nothing to do.
    pub fn works(self) -> bool {
        matches!(self, Self::Snapshotting | Self::Streaming)
    }
}
