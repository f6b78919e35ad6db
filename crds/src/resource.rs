//! The `CdcReplication` resource.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CdcReplicationStatus, Connect, Destination, Format, Kafka, Maintenance, Replicator, Source, TableSpec};

/// What is replicated, from where, through what, to where.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tributary.dev",
    version = "v1alpha1",
    kind = "CdcReplication",
    namespaced,
    status = "CdcReplicationStatus",
    derive = "PartialEq",
    doc = "Keeps Delta Lake tables equal to the tables of a database.",
    shortname = "cdc",
    category = "tributary",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Tables", type_ = "string", json_path = ".status.tablesReady"),
    printcolumn(name = "Lag", type_ = "integer", json_path = ".status.lagSeconds"),
    printcolumn(
        name = "Caught up",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='CaughtUp')].status",
        priority = 1
    ),
    printcolumn(name = "Destination", type_ = "string", json_path = ".spec.destination.uri", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    // Names of topics, slots and pods are made from it, and some of those may have 63 characters.
    validation = Rule::new("self.metadata.name.size() <= 40").message("metadata.name has at most 40 characters, because longer names are made from it")
)]
#[serde(rename_all = "camelCase")]
pub struct CdcReplicationSpec {
    /// The database that is replicated.
    pub source: Source,
    /// The tables that are replicated.
    // Comparing 200 targets of 127 characters costs two thirds of what the API server allows for one rule. (It accepts
    // more in the CRD, where it only estimates, and then refuses the objects.)
    #[schemars(length(min = 1, max = 200), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("[self.map(t, has(t.target) ? t.target : t.name.replace('.', '/'))].all(targets, targets.all(a, targets.exists_one(b, a == b)))").message("two tables have the same target: give one of them another target"))]
    pub tables: Vec<TableSpec>,
    /// The Kafka cluster that carries the changes.
    pub kafka: Kafka,
    /// The Kafka Connect cluster that runs the Debezium connector.
    #[serde(default)]
    pub connect: Connect,
    /// How the changes are written to Kafka.
    #[serde(default)]
    pub format: Format,
    /// Where the Delta tables are written.
    pub destination: Destination,
    /// The pods that write the Delta tables.
    #[serde(default)]
    pub replicator: Replicator,
    /// How the Delta tables are kept small and clean beside the writing.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// Stops reading and writing, and keeps everything else. The source keeps its log for us meanwhile: watch its disk.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of a Delta table whose source table is not any more what was copied, in a way that no event says: a column that
    /// was renamed, a partition that was dropped, a database that was restored. docs/schema-changes.md has all of them.
    #[serde(default)]
    pub on_source_change: OnSourceChange,
    /// What happens to the replication slot, the publication and the topics when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What becomes of a Delta table that may differ from its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnSourceChange {
    /// It is copied anew beside the old rows, which readers have until one commit swaps them.
    #[default]
    Resync,
    /// It stops and says so, until somebody asks for a copy: with the annotation `tributary.dev/resync`, or `replicator resync`.
    Stop,
}

/// What is removed with the resource. Delta tables never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Slot, publication and topics stay; a resource of the same name goes on where this one ended.
    #[default]
    Retain,
    /// Slot, publication and topics are dropped.
    Delete,
}
