//! What was measured of copies, as one aligned table and as JSON.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::cpu::{MACHINE, REPLICATOR};
use super::run::Measured;
use crate::report::{Machine, number};

/// All of one benchmark.
#[derive(Serialize)]
pub(super) struct Report {
    machine: Machine,
    /// When, in UTC.
    at: String,
    rows: u32,
    /// Our copy, each time.
    pub(super) copies: Vec<Measured>,
    /// That of another replicator.
    pub(super) against: Vec<Measured>,
    /// Debezium's snapshot.
    pub(super) snapshot: Option<Measured>,
}

/// Whose CPU time is shown.
const SHOWN: [&str; 6] = [REPLICATOR, "postgres", "s3", "kafka", "connect", MACHINE];

impl Report {
    /// An empty one.
    pub(super) fn new(rows: u32) -> Self {
        let at = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string();
        Self { machine: Machine::this(), at, rows, copies: Vec::new(), against: Vec::new(), snapshot: None }
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        println!("First copy of {} orders, {} UTC\n{}\n", self.rows, self.at, self.machine);
        let cpu = SHOWN.map(|name| format!("{name:>11}")).concat();
        println!("{:22} {:>8} {:>8} {:>11} {:>9} {cpu}", "", "equal s", "rows/s", "copying", "peak MiB");
        self.copies.iter().for_each(|run| self.line("our copy", run));
        self.against.iter().for_each(|run| self.line("the other's", run));
        self.snapshot.iter().for_each(|run| self.line("Debezium's snapshot", run));
        println!(
            "\nequal s: from applying to equal; rows/s: from the replicator's start on; copying: rows/s while they came;"
        );
        println!("CPU in µs a row, from the replicator's start to the end.");
        for (copy, other) in self.copies.iter().zip(&self.against) {
            println!("Our copy is {:.2} times as fast as the other's.", other.from_start_s / copy.from_start_s);
        }
        for (copy, snapshot) in self.copies.iter().zip(self.snapshot.iter().cycle()) {
            let ratio = snapshot.from_applying_s / copy.from_applying_s;
            println!("From applying to equal our copy is {ratio:.1} times as fast as Debezium's snapshot.");
        }
    }

    fn line(&self, name: &str, run: &Measured) {
        let rows = f64::from(self.rows);
        let cpu = SHOWN.map(|name| format!("{:>11.2}", run.cpu_s.get(name).unwrap_or(&0.0) * 1e6 / rows)).concat();
        println!(
            "{:22} {:>8.1} {:>8.0} {:>11} {:>9.0} {cpu}",
            if run.connections > 0 { format!("{name}, {}", run.connections) } else { name.to_owned() },
            run.from_applying_s,
            rows / run.from_start_s,
            number(run.copying_rows_per_s, 0),
            run.peak_mib
        );
    }

    /// Writes everything as JSON.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nEvery table was right, row by row. All numbers: {}", path.display());
        Ok(())
    }
}
