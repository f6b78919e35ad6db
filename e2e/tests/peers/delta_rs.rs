//! `deltalake`, the Python package of delta-rs.

use std::fmt::{Display, Formatter};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use tributary_e2e::oracle::TableLocation;
use tributary_e2e::stack::python_environment;

/// How `commitInfo` names it.
pub(super) const ENGINE: &str = "delta-rs:py-1.6.6";

const SCRIPT: &str = include_str!("compact.py");
const REQUIREMENTS: &str = include_str!("delta_rs.requirements.txt");
const PATIENCE: Duration = Duration::from_mins(3);

/// What a compaction did.
#[derive(Deserialize)]
pub(super) struct Compacted {
    /// Files that were merged; with none of them, nothing was committed.
    removed: u64,
    /// How often somebody else's commit came first.
    refused: u64,
}

impl Display for Compacted {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "merged {} files after {} refusals", self.removed, self.refused)
    }
}

/// Merges the small files of a table, however often it takes.
pub(super) async fn compact(table: &TableLocation) -> Compacted {
    let environment =
        || python_environment("delta-rs-compact", "delta-rs 1.6.6 for Python (about 45 MB)", REQUIREMENTS);
    let python = tokio::task::spawn_blocking(environment).await.unwrap().unwrap();
    let options = serde_json::to_string(&table.options()).unwrap();
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, table.uri(), &options]).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "delta-rs ended with {} on {}", output.status, table.uri());
    serde_json::from_slice(&output.stdout).unwrap()
}
