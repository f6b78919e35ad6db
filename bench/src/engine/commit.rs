//! A commit of 10,000 changes on a large table against a small one. The two take turns, so that both have the machine's mood.

use std::time::Duration;

use tributary_replicator::table::{Maintenance, Stages};

use super::changes::Key;
use super::table::{Cost, Table, folder};
use super::{Figure, median};
use crate::workload::Workload;

const CHANGES: u64 = 10_000;
const COMMITS: u64 = 15;
const SMALL: u64 = 1_000_000;
const LARGE: u64 = 20_000_000;

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let (small_folder, large_folder) = (folder()?, folder()?);
    let workload = |rows: u64| Workload { rows: rows / scale, updates: 0 };
    let open = |folder, rows| Table::open(folder, Key::Number, workload(rows), Maintenance::default());
    let mut small = open(small_folder.path(), SMALL).await?;
    let mut large = open(large_folder.path(), LARGE).await?;
    small.load().await?;
    large.load().await?;
    let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
    for number in 0..COMMITS {
        let changes = number * CHANGES..(number + 1) * CHANGES;
        of_small.push(small.update(changes.clone()).await?);
        of_large.push(large.update(changes).await?);
    }
    print(&small, &of_small);
    print(&large, &of_large);
    let figures: [(&str, Of); 3] = [
        ("time of a commit of 10,000, large / small", milliseconds),
        ("bytes of it", |cost| cost.requests.bytes_written as f64),
        ("requests of it", |cost| cost.requests.all() as f64),
    ];
    for (name, of) in figures {
        let ratio = median(of_large.iter().map(of)) / median(of_small.iter().map(of));
        Figure { name, value: ratio, unit: "x", at_most: Some(1.5) }.print();
    }
    Ok(())
}

/// A number of a commit.
type Of = fn(&Cost) -> f64;

fn milliseconds(cost: &Cost) -> f64 {
    cost.time.as_secs_f64() * 1e3
}

fn print(table: &Table, costs: &[Cost]) {
    let stage =
        |of: fn(&Stages) -> Duration| median(costs.iter().map(|cost| of(&cost.committed.stages).as_secs_f64() * 1e3));
    println!(
        "  {} rows in {} files: {:.1} ms (locate {:.1}, write {:.1}, put {:.1}), {:.0} bytes, {} requests",
        table.keyed.rows(),
        table.keyed.files(),
        median(costs.iter().map(milliseconds)),
        stage(|stages| stages.locate),
        stage(|stages| stages.write),
        stage(|stages| stages.put),
        median(costs.iter().map(|cost| cost.requests.bytes_written as f64)),
        median(costs.iter().map(|cost| cost.requests.all() as f64)),
    );
}
