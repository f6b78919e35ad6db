//! What was measured, as one aligned table and as JSON.

use std::fmt::{Display, Formatter};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::measure::Measured;
use crate::peer::{CHANGES, PeerMeasured};
use crate::workload::Workload;

/// All of one benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    /// When, in UTC.
    at: String,
    rows: u64,
    updates: u64,
    /// The replicator, format by format and storage by storage.
    pub(crate) runs: Vec<Measured>,
    /// Another replicator in the same runs.
    pub(crate) against: Vec<Measured>,
    /// The replicator at the peer's number of changes a commit, on a local disk.
    pub(crate) compared: Vec<Measured>,
    /// delta-rs MERGE.
    pub(crate) peer: Option<PeerMeasured>,
    /// What our table takes of the same finished Arrow columns that MERGE is given: changes a second, on one thread.
    pub(crate) table_alone_per_s: Option<f64>,
}

/// What it ran on.
#[derive(Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: f64,
    /// Work that waited for a core in the minute before; above 0.5 the numbers are too low.
    load_before: f64,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(workload: Workload) -> Self {
        let at = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string();
        let Workload { rows, updates } = workload;
        let (runs, against, compared) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            machine: Machine::this(),
            at,
            rows,
            updates,
            runs,
            against,
            compared,
            peer: None,
            table_alone_per_s: None,
        }
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("{} updates on a table of {} rows, {} UTC", self.updates, self.rows, self.at);
        println!("{}\n", self.machine);
        println!(
            "{:26} {:>11} {:>15} {:>9} {:>14} {:>15}",
            "", "changes/s", "CPU s/million", "peak MiB", "changes/commit", "snapshot rows/s"
        );
        for run in &self.runs {
            line(&format!("{} to {}", run.format, run.storage), run);
        }
        for (run, other) in self.runs.iter().zip(&self.against) {
            line(&format!("{} to {}, the other", run.format, run.storage), other);
        }
        for (run, other) in self.runs.iter().zip(&self.against) {
            let speed = run.updates_per_s.zip(other.updates_per_s).map(|(ours, other)| ours / other);
            println!("{} to {}: {} times the other's changes/s", run.format, run.storage, number(speed, 2));
        }
        for run in &self.compared {
            line(&format!("{} to {}, small commits", run.format, run.storage), run);
        }
        if let Some(peer) = &self.peer {
            self.compare(peer);
        }
    }

    fn compare(&self, peer: &PeerMeasured) {
        let PeerMeasured { changes_per_s, cpu_s_per_million, peak_mib, .. } = peer;
        let name = "delta-rs MERGE, local";
        println!("{name:26} {changes_per_s:>11.0} {cpu_s_per_million:>15.2} {peak_mib:>9.0} {CHANGES:>14}");
        if let Some(alone) = self.table_alone_per_s {
            println!("{:26} {alone:>11.0} {:>15} {:>9} {CHANGES:>14}\n", "our table alone, local", "", "");
            println!(
                "Given the same Arrow columns, our table takes {:.1} times as many changes/s as MERGE.",
                alone / changes_per_s
            );
        }
        for run in &self.compared {
            let speed = number(run.updates_per_s.map(|speed| speed / changes_per_s), 1);
            let cpu = number(run.cpu_s_per_million.map(|cpu| cpu_s_per_million / cpu), 1);
            println!(
                "{} from Kafka to Delta, decoded and all: {speed} times MERGE, with 1/{cpu} of its CPU.",
                run.format
            );
        }
    }

    /// Writes everything as JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nEvery table was right, row by row. All numbers: {}", path.display());
        Ok(())
    }
}

fn line(name: &str, run: &Measured) {
    println!(
        "{name:26} {:>11} {:>15} {:>9.0} {:>14} {:>15}",
        number(run.updates_per_s, 0),
        number(run.cpu_s_per_million, 2),
        run.peak_mib,
        number(run.updates_per_commit, 0),
        number(run.snapshot_rows_per_s, 0)
    );
}

/// A dash for what could not be measured.
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { cpu, cores, memory_gib, load_before } = self;
        write!(f, "{cores} cores of {cpu}, {memory_gib:.0} GiB; load before: {load_before}")
    }
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
        };
        let kib = after(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        let load = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        Self {
            cpu: after(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            memory_gib: kib / f64::from(1 << 20),
            load_before: load.unwrap_or_default(),
        }
    }
}
