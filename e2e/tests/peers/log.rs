//! What the Delta log says of others.

use serde_json::Value;
use tributary_e2e::pipeline::{Commit, DeltaLog};

/// The versions that this operation of this engine made.
pub(super) fn versions_by(log: &DeltaLog, operation: &str, engine: &str) -> Vec<u64> {
    let is_theirs = |commit: &&Commit| info(commit, "operation") == operation && info(commit, "engineInfo") == engine;
    log.commits.iter().filter(is_theirs).map(|commit| commit.version).collect()
}

/// The columns that the newest version has.
pub(super) fn columns(log: &DeltaLog) -> Vec<String> {
    log.commits.iter().rev().find_map(Commit::columns).unwrap()
}

fn info<'a>(commit: &'a Commit, field: &str) -> &'a str {
    commit.all("commitInfo").find_map(|info| info.get(field)).and_then(Value::as_str).unwrap_or_default()
}
