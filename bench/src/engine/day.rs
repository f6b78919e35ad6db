//! A day at one commit a second, as fast as it goes: what is left of 86,400 commits, and what they cost.

use std::path::Path;
use std::time::{Duration, Instant};

use tributary_e2e::oracle::{Oracle, TableLocation};
use tributary_replicator::table::{Job, Maintenance};

use super::Figure;
use super::changes::Key;
use super::table::{Table, data, folder};
use crate::events::Messages;
use crate::verify;
use crate::workload::{Order, Workload};

const ROWS: u64 = 1_000_000;
const CHANGES: u64 = 10;
/// Short, so that clean-up and vacuum have to do within the minutes that the day takes.
const HISTORY: Duration = Duration::from_mins(1);
/// Reads of each table; the quickest counts.
const READS: usize = 3;

pub(super) async fn run(scale: u64, commits: u64) -> anyhow::Result<()> {
    let folder = folder()?;
    let workload = Workload { rows: ROWS / scale, updates: commits * CHANGES };
    let maintenance = Maintenance { history: HISTORY, ..Maintenance::default() };
    let mut table = Table::open(folder.path(), Key::Uuid, workload, maintenance).await?;
    table.load().await?;
    table.maintained.clear();
    let (before, started) = (table.store.requests(), Instant::now());
    let mut own_bytes = 0;
    let mut most_files = 0;
    for number in 0..commits {
        let cost = table.update(number * CHANGES..(number + 1) * CHANGES).await?;
        own_bytes += cost.committed.bytes_written;
        table.look_after().await?;
        most_files = most_files.max(table.keyed.files());
        if number % 10_000 == 9999 {
            let seconds = started.elapsed().as_secs_f64();
            eprintln!("  {} commits, {seconds:.0} s; {most_files} files at most", number + 1);
        }
    }
    table.finish_maintenance().await?;
    let (took, requests) = (started.elapsed().as_secs_f64(), table.store.requests() - before);
    println!("  {commits} commits in {took:.0} s, {:.0} a second; {requests:?}", commits as f64 / took);
    println!("  bytes written by commits: {own_bytes}; {}", jobs(&table));
    println!("  {:?}", table.keyed.stats());
    objects(&data(folder.path()))?;
    let most = most_files as f64;
    Figure { name: "live data files, at most at any time", value: most, unit: "", at_most: Some(200.0) }.print();
    written(requests.bytes_written as f64, workload)?;
    read(folder.path(), table, workload).await
}

fn jobs(table: &Table) -> String {
    let of = |job: Job| {
        let done: Vec<_> = table.maintained.iter().filter(|done| done.job == job).collect();
        let bytes: u64 = done.iter().map(|done| done.bytes_written).sum();
        let removed: usize = done.iter().map(|done| done.removed).sum();
        format!("{} {} ({bytes} bytes, {removed} removed)", done.len(), job.name())
    };
    [Job::Compaction, Job::Checkpoint, Job::LogCleanup, Job::Vacuum].map(of).join(", ")
}

fn objects(table: &Path) -> anyhow::Result<()> {
    let count = |folder: &Path| -> anyhow::Result<usize> { Ok(std::fs::read_dir(folder)?.count()) };
    let (log, all) = (count(&table.join("_delta_log"))?, count(table)?);
    println!("  objects: {log} in the log, {} beside it", all - 1);
    Ok(())
}

/// Bytes written against the bytes of the messages that the changes come in.
fn written(bytes: f64, workload: Workload) -> anyhow::Result<()> {
    let per_message = |messages: &Messages| {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        messages.write(workload.rows, &mut key, &mut value);
        (key.len() + value.len()) as f64
    };
    let json = per_message(&Messages::json(workload)?) * workload.updates as f64;
    let avro = per_message(&Messages::avro(workload, 1, 2)?) * workload.updates as f64;
    let value = bytes / json;
    Figure { name: "bytes written / bytes of JSON messages", value, unit: "x", at_most: Some(10.0) }.print();
    Figure { name: "bytes written / bytes of Avro messages", value: bytes / avro, unit: "x", at_most: None }.print();
    Ok(())
}

/// Verifies the table, and reads it against one with the same rows that was just written.
async fn read(day: &Path, table: Table, workload: Workload) -> anyhow::Result<()> {
    drop(table);
    let fresh = folder()?;
    let mut written = Table::open(fresh.path(), Key::Uuid, workload, Maintenance::default()).await?;
    let orders: Vec<Order> = workload.last_orders().collect();
    for (number, orders) in orders.chunks(500_000).enumerate() {
        let batch = written.changes.orders(number as u64 * 500_000, orders)?;
        written.commit(&batch).await?;
    }
    let oracle = Oracle::start().await?;
    let (day, fresh) = (TableLocation::local(&data(day)), TableLocation::local(&data(fresh.path())));
    verify::verify(&oracle, &day, workload).await?;
    let (mut of_day, mut of_fresh) = (f64::MAX, f64::MAX);
    for _ in 0..READS {
        of_fresh = of_fresh.min(seconds(&oracle, &fresh).await?);
        of_day = of_day.min(seconds(&oracle, &day).await?);
    }
    println!("  read by the Java kernel: {of_day:.2} s, freshly written {of_fresh:.2} s");
    let value = of_day / of_fresh;
    Figure { name: "read by the Java kernel / freshly written", value, unit: "x", at_most: Some(1.5) }.print();
    Ok(())
}

async fn seconds(oracle: &Oracle, table: &TableLocation) -> anyhow::Result<f64> {
    let started = Instant::now();
    oracle.read(table, |_, rows| rows.try_for_each(|row| row.map(drop))).await?;
    Ok(started.elapsed().as_secs_f64())
}
