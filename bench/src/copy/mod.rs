//! The first copy of a table: the replicator's own, and Debezium's snapshot through Kafka, of the same table in one run.

mod cpu;
mod log;
mod report;
mod run;
mod shop;

use std::path::PathBuf;

use clap::Args;

use self::report::Report;
use self::run::{Way, run};
use self::shop::Shop;
use crate::events::Format;

#[derive(Args)]
pub(crate) struct Options {
    /// Orders of the shop. A tenth as many users are not copied.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u32,
    /// `replicator.copy.connections` of our copy.
    #[arg(long, default_value_t = 2)]
    connections: u32,
    /// Of the messages of Debezium's snapshot.
    #[arg(long, value_enum, default_value = "avro")]
    format: Format,
    /// How often our copy is measured.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Only our copy, without Debezium's snapshot.
    #[arg(long)]
    alone: bool,
    /// The replicator; by default the one beside this program.
    #[arg(long)]
    replicator: Option<PathBuf>,
    /// Another replicator, such as one of an earlier commit, that copies the same in the same run.
    #[arg(long, value_name = "REPLICATOR")]
    against: Option<PathBuf>,
    /// Where the results go as JSON.
    #[arg(long, default_value = "bench-copy.json")]
    output: PathBuf,
}

/// Fills a database, and has it copied in each way in turn.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<()> {
    let program = crate::program(options.replicator.as_deref())?;
    let mut report = Report::new(options.rows);
    let shop = Shop::open(options.rows, options.format).await?;
    let copy = Way::Copy { connections: options.connections };
    for _ in 0..options.times {
        report.copies.push(run(&shop, &program, copy).await?);
        if let Some(other) = &options.against {
            report.against.push(run(&shop, other, copy).await?);
        }
    }
    if !options.alone {
        report.snapshot = Some(run(&shop, &program, Way::Snapshot).await?);
    }
    report.print();
    report.write(&options.output)
}
