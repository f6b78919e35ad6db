//! The peer: delta-rs MERGE, given the same changes as Parquet files, on a table of the same rows.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use parquet::arrow::ArrowWriter;
use serde::{Deserialize, Serialize};
use tributary_e2e::oracle::{Oracle, TableLocation};
use tributary_e2e::stack::python_environment;

use crate::columns;
use crate::verify;
use crate::workload::{Order, Workload};

/// Changes in one commit, on both sides of the comparison, unless it is said otherwise.
pub(crate) const CHANGES: u64 = 50_000;
/// Commits that are measured; each costs MERGE about the same.
const COMMITS: u64 = 5;
/// Rows of one file of the table.
const FILE_ROWS: u64 = 250_000;

const SCRIPT: &str = include_str!("../peers/delta_rs_merge.py");
const REQUIREMENTS: &str = include_str!("../peers/requirements.txt");

/// What the script prints.
#[derive(Deserialize)]
struct Printed {
    seconds: Vec<f64>,
    cpu_seconds: f64,
    peak_bytes: u64,
}

/// What the peer showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PeerMeasured {
    /// Changes in one commit, before those of one key were reduced to the last.
    pub(crate) changes_per_commit: u64,
    /// Seconds of each commit.
    pub(crate) seconds: Vec<f64>,
    /// Changes a second.
    pub(crate) changes_per_s: f64,
    /// CPU seconds per million changes.
    pub(crate) cpu_s_per_million: f64,
    /// The most memory of the process, in MiB.
    pub(crate) peak_mib: f64,
}

/// Merges the first updates of the load, `changes` a commit, and verifies the table.
pub(crate) async fn run(oracle: &Oracle, workload: Workload, changes: u64) -> anyhow::Result<PeerMeasured> {
    let workload = Workload { updates: workload.updates.min(COMMITS * changes), ..workload };
    let folder = tempfile::tempdir()?;
    let table = folder.path().join("table");
    let at = folder.path().to_owned();
    let printed = tokio::task::spawn_blocking(move || merge(&at, workload, changes)).await??;
    verify::verify(oracle, &TableLocation::local(&table), workload).await?;
    let updates = workload.updates as f64;
    Ok(PeerMeasured {
        changes_per_commit: changes,
        changes_per_s: updates / printed.seconds.iter().sum::<f64>(),
        seconds: printed.seconds,
        cpu_s_per_million: printed.cpu_seconds * 1e6 / updates,
        peak_mib: printed.peak_bytes as f64 / f64::from(1 << 20),
    })
}

fn merge(folder: &Path, workload: Workload, changes: u64) -> anyhow::Result<Printed> {
    let python = python_environment("delta-rs", "delta-rs 1.6.6 for Python (about 100 MB)", REQUIREMENTS)?;
    let script = folder.join("delta_rs_merge.py");
    std::fs::write(&script, SCRIPT)?;
    let call = |action: &str, files: Vec<PathBuf>| {
        let mut command = Command::new(&python);
        command.arg(&script).arg(action).arg(folder.join("table")).args(files);
        let output = command.stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "delta-rs ended with {}", output.status);
        Ok(output.stdout)
    };
    let rows = parts(workload.rows, FILE_ROWS).map(|part| {
        let orders = part.clone().map(Order::snapshot).collect::<Vec<_>>();
        write(&folder.join(format!("rows-{}.parquet", part.start)), &orders)
    });
    call("create", rows.collect::<Result<_, _>>()?)?;
    let changes = parts(workload.updates, changes)
        .map(|part| write(&folder.join(format!("changes-{}.parquet", part.start)), &last_of_each_key(workload, part)));
    let printed = call("merge", changes.collect::<Result<_, _>>()?)?;
    serde_json::from_slice(&printed).context("the script printed something else than its measurements")
}

fn parts(all: u64, size: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..all).step_by(size as usize).map(move |start| start..all.min(start + size))
}

/// MERGE refuses two changes of one row, so this is done for it, and not counted.
fn last_of_each_key(workload: Workload, updates: std::ops::Range<u64>) -> Vec<Order> {
    let mut seen = HashSet::new();
    let last = updates.rev().filter(|&number| seen.insert(workload.updated_row(number)));
    last.map(|number| workload.update(number)).collect()
}

fn write(path: &Path, orders: &[Order]) -> anyhow::Result<PathBuf> {
    let batch = columns::batch(columns::uuids(orders), orders)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_key_the_last_change_is_left() {
        let workload = Workload { rows: 10, updates: 100 };
        let orders = last_of_each_key(workload, 0..100);
        let left: Vec<_> = workload.result().into_values().filter(|order| order.update.is_some()).collect();
        assert_eq!(orders.len(), left.len());
        assert!(orders.iter().all(|order| left.contains(order)));
    }

    #[test]
    fn parts_cover_everything_once() {
        assert_eq!(parts(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
    }
}
