//! Which tables are replicated, and where each one goes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::topic::sanitized;

/// One table of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
// A table in a new place would begin in the middle of its changes. A table that comes back to the list is copied anew.
#[x_kube(validation = Rule::new("(has(self.target) ? self.target : self.name.replace('.', '/')) == (has(oldSelf.target) ? oldSelf.target : oldSelf.name.replace('.', '/'))").message("the target of a table cannot be changed, because it would begin empty there: set it back, or remove the table from the list, apply, and add it again with the new target"))]
// Delta Lake fixes the partition columns of a table when it is created.
#[x_kube(validation = Rule::new("(has(self.partitionBy) ? self.partitionBy : []) == (has(oldSelf.partitionBy) ? oldSelf.partitionBy : [])").message("partitionBy of a table cannot be changed: set it back, or remove the table from the list, apply, and add it again with another target"))]
pub struct TableSpec {
    /// The table as `schema.table`, spelled as in the database's catalogue, without quotes (`public.Weird Table`).
    #[schemars(length(min = 3, max = 127))]
    #[x_kube(validation = Rule::new("self.matches('^[^.\"]{1,63}[.][^.\"]{1,63}$')").message("a table is written as schema.table, without quotes"))]
    pub name: String,
    /// Folder of the Delta table under `destination.uri`. Default: `schema/table`, with `_` for every character other
    /// than letters, digits, `.`, `_` and `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 127))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*$')").message("a target is a relative folder such as sales/orders: letters, digits, '.', '_', '=', '-', and no leading or trailing '/'"))]
    pub target: Option<String>,
    /// Columns by which the Delta table is partitioned. Fixed when the table is created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    pub partition_by: Vec<String>,
    /// What is kept of the table's rows.
    #[serde(default = "mirror")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub shapes: Vec<Shape>,
}

fn mirror() -> Vec<Shape> {
    vec![Shape::Mirror]
}

/// What a Delta table keeps of its source table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Shape {
    /// The Delta table equals the source table.
    Mirror,
}

impl TableSpec {
    /// A table with the defaults of every other field.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), target: None, partition_by: Vec::new(), shapes: mirror() }
    }

    /// Folder under `destination.uri`: the given target, or the one that follows from the name.
    pub fn target(&self) -> String {
        self.target.clone().unwrap_or_else(|| sanitized(&self.name).replacen('.', "/", 1))
    }
}
