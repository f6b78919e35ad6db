//! The table engine alone, without services: each figure that issue 9 asks for, as a ratio within one run where it compares.

mod changes;
mod commit;
mod day;
mod latency;
mod memory;
mod merge;
mod requests;
mod store;
mod table;

use clap::{Args, ValueEnum};

pub(crate) use memory::Step;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Which figures.
    #[arg(value_enum, default_values_t = Which::value_variants().to_vec())]
    figures: Vec<Which>,
    /// Divides the rows of every table, for a quick look.
    #[arg(long, default_value_t = 1)]
    scale: u64,
    /// Commits of the day.
    #[arg(long, default_value_t = 86_400)]
    commits: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// A commit on 20 M rows against 1 M rows.
    Commit,
    /// The slowest commits while a compaction runs.
    P99,
    /// Requests to the storage.
    Requests,
    /// Memory, index and start with 50 M rows.
    Memory,
    /// A day at a commit a second.
    Day,
    /// Against delta-rs MERGE.
    Merge,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    for which in &options.figures {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("{which:?}, load before: {}", load.split(' ').next().unwrap_or_default());
        match which {
            Which::Commit => commit::run(options.scale).await?,
            Which::P99 => latency::run(options.scale).await?,
            Which::Requests => requests::run(options.scale).await?,
            Which::Memory => memory::run(options.scale).await?,
            Which::Day => day::run(options.scale, options.commits).await?,
            Which::Merge => merge::run(options.scale).await?,
        }
    }
    Ok(())
}

/// A number, and what it may be.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    at_most: Option<f64>,
}

impl Figure {
    fn print(&self) {
        let Self { name, value, unit, at_most } = self;
        let want = at_most.map_or_else(String::new, |most| {
            let missed = if *value > most { ", missed" } else { "" };
            format!(" (want <= {most}{missed})")
        });
        println!("{name:50} {value:10.2} {unit}{want}");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    percentile(&values.collect::<Vec<_>>(), 0.5)
}

/// The value below which this share of the values is; not a number without values.
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&values, 0.5), percentile(&values, 0.99)), (100.0, 198.0));
        assert!(percentile(&[], 0.5).is_nan());
    }
}
