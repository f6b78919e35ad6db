//! A commit of 10,000 changes on a large table against a small one, and one between. They take turns, so that all have the
//! machine's mood.

use std::time::Duration;

use tributary_replicator::table::{Maintenance, Stages};

use super::changes::Key;
use super::table::{Cost, Table, folder};
use super::{Figure, median};
use crate::workload::Workload;

const CHANGES: u64 = 10_000;
const COMMITS: u64 = 15;
const SMALL: u64 = 1_000_000;
const MIDDLE: u64 = 5_000_000;
const LARGE: u64 = 20_000_000;

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let folders = [folder()?, folder()?, folder()?];
    let mut tables = Vec::new();
    for (rows, folder) in [SMALL, MIDDLE, LARGE].into_iter().zip(&folders) {
        let workload = Workload { rows: rows / scale, updates: 0 };
        let mut table = Table::open(folder.path(), Key::Number, workload, Maintenance::default()).await?;
        table.load().await?;
        tables.push((table, Vec::new()));
    }
    for number in 0..COMMITS {
        for (table, costs) in &mut tables {
            costs.push(table.update(number * CHANGES..(number + 1) * CHANGES).await?);
        }
    }
    for (table, costs) in &tables {
        print(table, costs);
    }
    let [small, middle, large] = [0, 1, 2].map(|table| tables[table].1.as_slice());
    figure("time of a commit of 10,000, large / small", milliseconds, (large, small), Some(1.5));
    figure("the same, large / middle", milliseconds, (large, middle), None);
    figure("bytes of it, large / small", |cost| cost.requests.bytes_written as f64, (large, small), Some(1.5));
    figure("requests of it, large / small", |cost| cost.requests.all() as f64, (large, small), Some(1.5));
    Ok(())
}

fn figure(name: &'static str, of: Of, (one, other): (&[Cost], &[Cost]), at_most: Option<f64>) {
    let value = median(one.iter().map(of)) / median(other.iter().map(of));
    Figure { name, value, unit: "x", at_most }.print();
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
