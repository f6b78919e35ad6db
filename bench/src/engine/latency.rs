//! The slowest commits while a compaction runs, against the same commits on the same table without one.

use tributary_replicator::table::Maintenance;

use super::changes::Key;
use super::table::{Table, folder};
use super::{Figure, percentile};
use crate::workload::Workload;

const ROWS: u64 = 8_000_000;
/// As many files as make a compaction due.
const FILES: u64 = 16;
const CHANGES: u64 = 1000;
/// Commits that are compared, at most.
const COMMITS: usize = 2000;

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let workload = Workload { rows: ROWS / scale, updates: 0 };
    let with = measure(workload, None).await?;
    let without = measure(workload, Some(with.len())).await?;
    let milliseconds = |times: &[f64], share| percentile(times, share) * 1e3;
    for (name, times) in [("while a compaction runs", &with), ("without", &without)] {
        let (median, p99) = (milliseconds(times, 0.5), milliseconds(times, 0.99));
        println!("  {} commits {name}: median {median:.1} ms, p99 {p99:.1} ms", times.len());
    }
    let value = percentile(&with, 0.99) / percentile(&without, 0.99);
    Figure { name: "p99 of a commit, with compaction / without", value, unit: "x", at_most: Some(2.0) }.print();
    Ok(())
}

/// Seconds of each commit: `commits` without maintenance, or as many as the first compaction takes.
async fn measure(workload: Workload, commits: Option<usize>) -> anyhow::Result<Vec<f64>> {
    let folder = folder()?;
    let mut table = Table::open(folder.path(), Key::Number, workload, Maintenance::default()).await?;
    table.load_by(workload.rows / FILES).await?;
    if commits.is_none() {
        table.look_after().await?;
        anyhow::ensure!(table.is_looked_after(), "no compaction is due");
    }
    let mut times = Vec::new();
    for number in 0..COMMITS as u64 {
        let cost = table.update(number * CHANGES..(number + 1) * CHANGES).await?;
        let goes_on = commits.map_or_else(|| table.is_looked_after(), |commits| times.len() < commits);
        if !goes_on {
            break;
        }
        times.push(cost.time.as_secs_f64());
    }
    table.finish_maintenance().await?;
    Ok(times)
}
