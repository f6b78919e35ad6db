//! What a large table takes of memory and of the index volume, and how long it takes to open. Each step is a process of its
//! own, so that none has the memory of another.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tributary_replicator::table::Maintenance;

use super::Figure;
use super::changes::Key;
use super::table::{Table, folder, index};
use crate::workload::Workload;

const ROWS: u64 = 50_000_000;
const CHANGES: u64 = 10_000;
const COMMITS: u64 = 50;

/// One step, in a process of its own.
#[derive(Args)]
pub(crate) struct Step {
    #[arg(value_enum)]
    what: What,
    folder: PathBuf,
    rows: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Makes the table.
    Load,
    /// Opens it, and commits for a while.
    Work,
}

/// What a step prints.
#[derive(Debug, Deserialize, Serialize)]
struct Shown {
    open_s: f64,
    rows: u64,
    files: usize,
    index_bytes: u64,
    index_memory_bytes: u64,
    /// After opening, and at the end.
    opened_mib: f64,
    resident_mib: f64,
    peak_mib: f64,
}

impl Step {
    /// Does it, and prints what it showed.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let workload = Workload { rows: self.rows, updates: 0 };
        let started = Instant::now();
        let mut table = Table::open(&self.folder, Key::Number, workload, Maintenance::default()).await?;
        let open_s = started.elapsed().as_secs_f64();
        let opened_mib = status_mib("VmRSS")?;
        match self.what {
            What::Load => load(&mut table).await?,
            What::Work => work(&mut table).await?,
        }
        let stats = table.keyed.stats();
        let shown = Shown {
            open_s,
            rows: stats.rows,
            files: stats.files,
            index_bytes: stats.index_bytes,
            index_memory_bytes: stats.index_memory_bytes,
            opened_mib,
            resident_mib: status_mib("VmRSS")?,
            peak_mib: status_mib("VmHWM")?,
        };
        println!("{}", serde_json::to_string(&shown)?);
        Ok(())
    }
}

/// With maintenance beside it, as a first copy of a table goes.
async fn load(table: &mut Table) -> anyhow::Result<()> {
    let (all, per_commit) = (table.changes.workload.rows, 250_000);
    for first in (0..all).step_by(per_commit) {
        let batch = table.changes.rows(first..all.min(first + per_commit as u64))?;
        table.commit(&batch).await?;
        table.look_after().await?;
    }
    table.finish_maintenance().await
}

async fn work(table: &mut Table) -> anyhow::Result<()> {
    for number in 0..COMMITS {
        table.update(number * CHANGES..(number + 1) * CHANGES).await?;
        table.look_after().await?;
    }
    table.finish_maintenance().await
}

pub(super) async fn run(scale: u64) -> anyhow::Result<()> {
    let rows = ROWS / scale;
    let folder = folder()?;
    let loaded = step(folder.path(), "load", rows).await?;
    let opened = step(folder.path(), "work", rows).await?;
    std::fs::remove_dir_all(index(folder.path()))?;
    let rebuilt = step(folder.path(), "work", rows).await?;
    for (name, shown) in [("load", &loaded), ("open and commit", &opened), ("runs lost", &rebuilt)] {
        println!("  {name}: {shown:?}");
    }
    let per_row = loaded.index_bytes as f64 / loaded.rows as f64;
    let figures = [
        ("resident memory after 50 commits", opened.resident_mib, "MiB", Some(512.0)),
        ("peak memory, open and 50 commits", opened.peak_mib, "MiB", Some(512.0)),
        ("peak memory, first load", loaded.peak_mib, "MiB", None),
        ("peak memory, runs lost and 50 commits", rebuilt.peak_mib, "MiB", Some(512.0)),
        ("key index on disk", per_row, "bytes a row", Some(16.0)),
        ("open with runs on disk", opened.open_s, "s", Some(3.0)),
    ];
    for (name, value, unit, at_most) in figures {
        Figure { name, value, unit, at_most }.print();
    }
    let per_s = rebuilt.rows as f64 / rebuilt.open_s / 1e6;
    println!("{:50} {per_s:10.2} M keys/s (want >= 4)", "open with runs lost");
    Ok(())
}

async fn step(folder: &Path, what: &'static str, rows: u64) -> anyhow::Result<Shown> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["step", what]).arg(folder).arg(rows.to_string()).stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    anyhow::ensure!(output.status.success(), "the step `{what}` ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A line of what the kernel says of this process.
fn status_mib(name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(kib.with_context(|| format!("/proc/self/status has no {name}"))? / 1024.0)
}
