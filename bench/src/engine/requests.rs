//! Requests to the storage: of a commit with what maintenance adds to it, and of a minute in which nothing happens.

use jiff::{SignedDuration, Timestamp};
use tributary_replicator::table::Maintenance;

use super::Figure;
use super::changes::Key;
use super::table::{Table, folder};
use crate::workload::Workload;

const ROWS: u64 = 1_000_000;
const COMMITS: u64 = 1000;
const CHANGES: u64 = 1000;

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let folder = folder()?;
    let workload = Workload { rows: ROWS / scale, updates: 0 };
    let mut table = Table::open(folder.path(), Key::Number, workload, Maintenance::default()).await?;
    table.load().await?;
    table.maintained.clear();
    let before = table.store.requests();
    for number in 0..COMMITS {
        table.update(number * CHANGES..(number + 1) * CHANGES).await?;
        table.look_after().await?;
    }
    table.finish_maintenance().await?;
    let requests = table.store.requests() - before;
    println!("  {COMMITS} commits and {} pieces of maintenance: {requests:?}", table.maintained.len());
    let value = requests.all() as f64 / COMMITS as f64;
    Figure { name: "requests of a commit, maintenance included", value, unit: "", at_most: Some(6.0) }.print();

    let (before, now) = (table.store.requests(), Timestamp::now());
    for second in 0..60 {
        anyhow::ensure!(table.keyed.maintenance(now + SignedDuration::from_secs(second)).is_none(), "something is due");
    }
    let value = (table.store.requests() - before).all() as f64;
    Figure { name: "requests of an idle minute", value, unit: "", at_most: Some(0.0) }.print();
    Ok(())
}
