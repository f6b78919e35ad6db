//! The replicator: its pods, its rhythm and its memory.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Quantity};

/// The pods that write the Delta tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.commitSize) || quantity(self.commitSize).compareTo(quantity(self.memory)) <= 0").message("replicator.commitSize is at most replicator.memory, or no commit would ever be that large"))]
pub struct Replicator {
    /// Number of pods. The tables are spread over them by name; one table is always written by one pod.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub replicas: i32,
    /// Longest time that a change waits before it is committed: `500ms`, `5s`, `1m`. Shorter is fresher, longer makes
    /// fewer and larger files.
    #[serde(default = "commit_interval")]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('1h')").message("a commit interval is between 100ms and 1h, such as 500ms, 5s or 1m"))]
    pub commit_interval: Duration,
    /// Commits a table earlier, as soon as this many bytes of its messages are buffered. Default: a third of
    /// `memory`, so that the next ones can be read while a commit works on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('1Mi')) >= 0").message("a commit size is at least 1Mi, such as 64Mi"))]
    pub commit_size: Option<Quantity>,
    /// Bound of the messages that one pod buffers, over all its tables, and of the rows of first copies that are being written,
    /// which take half of it at most. When it is reached, reading from Kafka pauses, and the next chunk of a copy waits.
    #[serde(default = "memory")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('16Mi')) >= 0").message("the memory for buffered messages is at least 16Mi, such as 256Mi"))]
    pub memory: Quantity,
    /// How the rows that a table already has are read from the database.
    #[serde(default)]
    pub copy: CopySettings,
    /// Port of `/metrics`, `/healthz`, `/readyz` and `/tables`.
    #[serde(default = "http_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub http_port: u16,
    /// Image of the replicator, if not the one that belongs to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// CPU and memory of each pod. Give it at least twice `replicator.memory`. Default: requests of `cpu: 100m`, so that many
    /// of them fit on a small node, and of twice `replicator.memory`; a limit of eight times `replicator.memory`, none of CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The volume of each pod's key index, on the node's own disk. It can be lost: the index is rebuilt from the Delta
    /// tables.
    #[serde(default)]
    pub index: Index,
}

impl Default for Replicator {
    fn default() -> Self {
        Self {
            replicas: one(),
            commit_interval: commit_interval(),
            commit_size: None,
            memory: memory(),
            copy: CopySettings::default(),
            http_port: http_port(),
            image: None,
            resources: None,
            index: Index::default(),
        }
    }
}

const fn one() -> i32 {
    1
}

fn commit_interval() -> Duration {
    Duration::seconds(5)
}

fn memory() -> Quantity {
    Quantity::mebibytes(256)
}

const fn http_port() -> u16 {
    8080
}

/// The first copy of a table, which the replicator reads from the database itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopySettings {
    /// Connections to the database that read the rows of first copies, for each pod. More copy faster, and load the database
    /// more. 0, for a replicator that runs without the operator: the database is not read at all, and all rows come with the
    /// events of a connector of your own, which takes its own snapshot.
    #[serde(default = "connections")]
    #[schemars(range(min = 0, max = 16))]
    pub connections: i32,
    /// Most that each pod reads of the rows of first copies in a second, over all its tables: `20Mi`. Copies take longer, and
    /// leave more of the database and its network to others. Default: as much as there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('64Ki')) >= 0").message("first copies read at least 64Ki in a second, such as 20Mi"))]
    pub max_bytes_per_second: Option<Quantity>,
}

impl Default for CopySettings {
    fn default() -> Self {
        Self { connections: connections(), max_bytes_per_second: None }
    }
}

const fn connections() -> i32 {
    2
}

/// The key index's volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Most that the index may take: about 15 bytes for each row of the pod's tables, and as much again for those that are
    /// being compacted or whose index is rebuilt. Kubernetes evicts a pod that takes more.
    #[serde(default = "index_storage")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('64Mi')) >= 0").message("the volume of the key index has at least 64Mi, such as 10Gi"))]
    pub storage: Quantity,
}

impl Default for Index {
    fn default() -> Self {
        Self { storage: index_storage() }
    }
}

fn index_storage() -> Quantity {
    Quantity::gibibytes(10)
}

/// CPU and memory of a pod, as in a pod's own specification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What a node must have free: `{cpu: 500m, memory: 1Gi}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, IntOrString>,
    /// What the pod may use at most: `{memory: 2Gi}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, IntOrString>,
}
