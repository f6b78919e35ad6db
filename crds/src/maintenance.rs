//! How the Delta tables are kept small and clean beside the writing.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Quantity, TimeOfDay};

/// How the Delta tables are kept small and clean while they are written: small files are merged (compaction), and what
/// no reader needs any more is removed (vacuum). The replicator does this itself; nothing has to be scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// Size that data files grow to by compaction. Smaller files cost less to rewrite, larger ones less to read.
    #[serde(default = "target_file_size")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('8Mi')) >= 0 && quantity(self).compareTo(quantity('1Gi')) <= 0").message("a target file size is between 8Mi and 1Gi, such as 128Mi"))]
    pub target_file_size: Quantity,
    /// How long an older version of a Delta table stays readable after a newer one replaced it: its data files, deletion
    /// vectors and log entries are kept for this time. A query must not run longer than this.
    #[serde(default = "history")]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('8760h')").message("a history is between 1h and 8760h, such as 168h for seven days"))]
    pub history: Duration,
    /// Times of day in which compaction and vacuum may begin a piece of work. Default: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub windows: Vec<Window>,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self { target_file_size: target_file_size(), history: history(), windows: Vec::new() }
    }
}

fn target_file_size() -> Quantity {
    Quantity::mebibytes(128)
}

fn history() -> Duration {
    Duration::seconds(7 * 24 * 3600)
}

/// A part of each day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from != self.to").message("a window begins and ends at different times: leave out maintenance.windows for the whole day"))]
pub struct Window {
    /// When it begins, in UTC: `"22:00"`.
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("a time of day is written as HH:MM in UTC, from 00:00 to 23:59"))]
    pub from: TimeOfDay,
    /// When it ends, in UTC: `"04:00"`. If that is before `from`, it ends on the next day.
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("a time of day is written as HH:MM in UTC, from 00:00 to 23:59"))]
    pub to: TimeOfDay,
}
