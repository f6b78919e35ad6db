//! Against delta-rs MERGE on a table of 4 M rows: the same updates, given to both as Arrow columns. Ours folds them, commits
//! them, and is looked after meanwhile; reading Kafka and decoding are not in it.

use std::time::Instant;

use tributary_e2e::oracle::Oracle;
use tributary_replicator::table::Maintenance;

use super::changes::Key;
use super::table::{Table, folder};
use crate::peer;
use crate::workload::Workload;

const ROWS: u64 = 4_000_000;

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let oracle = Oracle::start().await?;
    for (changes, commits, want) in [(50_000, 20, 30.0), (1000, 200, 100.0)] {
        let workload = Workload { rows: ROWS / scale, updates: changes * commits };
        let ours = ours(workload, changes).await?;
        let merge = peer::run(&oracle, workload, changes).await?.changes_per_s;
        println!("  {changes} changes a commit: {ours:.0} changes/s, MERGE {merge:.0}");
        println!("{:50} {:10.1} times MERGE (want >= {want})", format!("{changes} changes a commit"), ours / merge);
    }
    Ok(())
}

async fn ours(workload: Workload, changes: u64) -> anyhow::Result<f64> {
    let folder = folder()?;
    let mut table = Table::open(folder.path(), Key::Uuid, workload, Maintenance::default()).await?;
    table.load().await?;
    let mut spent = 0.0;
    for first in (0..workload.updates).step_by(changes as usize) {
        let batch = table.changes.updates(first..first + changes)?;
        let started = Instant::now();
        table.commit(&batch).await?;
        table.look_after().await?;
        spent += started.elapsed().as_secs_f64();
    }
    Ok(workload.updates as f64 / spent)
}
