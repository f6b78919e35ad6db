//! How fast rows came into the table, by the times of its commits.

use serde_json::Value;
use tributary_e2e::pipeline::{Commit, DeltaLog};

/// Rows a second from the commit before the first one with rows, where the copy begins, to the last one with rows. `None`: in no time.
pub(super) fn rows_per_s(log: &DeltaLog) -> Option<f64> {
    let first = log.commits.iter().position(|commit| rows(commit) > 0)?;
    let last = log.commits.iter().rposition(|commit| rows(commit) > 0)?;
    let began = milliseconds(log.commits.get(first.checked_sub(1)?)?)?;
    let seconds = (milliseconds(log.commits.get(last)?)? - began) as f64 / 1000.0;
    let rows: u64 = log.commits.iter().map(rows).sum();
    (seconds > 0.0).then(|| rows as f64 / seconds)
}

/// Rows that a commit brought; one that writes files anew brings none.
fn rows(commit: &Commit) -> u64 {
    let brought = commit.all("add").filter(|add| add["dataChange"] == true);
    let stats = brought.filter_map(|add| serde_json::from_str::<Value>(add["stats"].as_str()?).ok());
    stats.filter_map(|stats| stats["numRecords"].as_u64()).sum()
}

fn milliseconds(commit: &Commit) -> Option<i64> {
    commit.all("commitInfo").next()?["timestamp"].as_i64()
}
