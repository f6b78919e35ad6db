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
#[x_kube(validation = Rule::new("!has(self.clusterBy) || !has(self.partitionBy) || self.clusterBy.all(c, !(c in self.partitionBy))").message("a column of partitionBy cannot be in clusterBy too, because it is the same in all rows of a file: remove it from clusterBy"))]
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
    /// Columns by which compaction sorts the rows, the most important first. The statistics of the files then tell readers
    /// which ones they need for a query on these columns. Can be changed: files are sorted anew when they are compacted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 63)))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, a == b))").message("clusterBy lists each column once"))]
    pub cluster_by: Vec<String>,
    /// How a changed or deleted row is taken out of its data file. `DeletionVectors` marks it, at a cost that follows the
    /// change. `CopyOnWrite` writes the file anew without it, for readers that do not know deletion vectors, at a cost
    /// that follows the size of the file. Set it before the first copy where such readers matter: a table that has had
    /// deletion vectors keeps them among the features that its readers must know.
    #[serde(default)]
    pub writes: Writes,
    /// What is kept of the table's rows.
    #[serde(default = "mirror")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub shapes: Vec<Shape>,
}

fn mirror() -> Vec<Shape> {
    vec![Shape::Mirror]
}

/// How a row is taken out of its data file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Writes {
    /// A deletion vector marks it.
    #[default]
    DeletionVectors,
    /// The file is written anew without it.
    CopyOnWrite,
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
        Self {
            name: name.into(),
            target: None,
            partition_by: Vec::new(),
            cluster_by: Vec::new(),
            writes: Writes::default(),
            shapes: mirror(),
        }
    }

    /// Folder under `destination.uri`: the given target, or the one that follows from the name.
    pub fn target(&self) -> String {
        self.target.clone().unwrap_or_else(|| sanitized(&self.name).replacen('.', "/", 1))
    }
}
