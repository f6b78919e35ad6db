//! Measures the path from Kafka to Delta: `bench` runs the real replicator, `bench parts` its stations one by one, `bench
//! engine` the Delta table alone. `bench copy` measures the first copy of a table.

mod columns;
mod copy;
mod delta_log;
mod engine;
mod events;
mod measure;
mod parts;
mod peer;
mod process;
mod registry;
mod report;
mod resource;
mod stack;
mod topic;
mod verify;
mod workload;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use tributary_e2e::oracle::Oracle;

use self::events::Format;
use self::measure::{Run, run};
use self::report::Report;
use self::resource::Storage;
use self::stack::BenchStack;
use self::workload::Workload;

/// Measures the path from Kafka to Delta, as ratios within one run.
#[derive(Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    whole: Whole,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Decoding, folding and committing, each alone in this process, on a local disk.
    Parts(parts::Options),
    /// The first copy of a table: ours, and Debezium's snapshot of the same table.
    Copy(copy::Options),
    /// The table engine: what its commits, its memory and its maintenance cost. No services.
    Engine(engine::Options),
    /// One step of `engine memory`, in a process of its own.
    #[command(hide = true)]
    Step(engine::Step),
}

#[derive(Args)]
struct Whole {
    /// Rows of the table.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Updates, uniformly at random over all rows.
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// Formats of the messages.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "json,avro")]
    format: Vec<Format>,
    /// Where the table is written.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "local,s3")]
    storage: Vec<Storage>,
    /// `replicator.commitSize` in bytes, if not the default.
    #[arg(long)]
    commit_size: Option<u64>,
    /// Also runs delta-rs MERGE on the same changes, at 50,000 changes a commit on both sides.
    #[arg(long)]
    peer: bool,
    /// The replicator; by default the one beside this program.
    #[arg(long)]
    replicator: Option<PathBuf>,
    /// Another replicator, such as one of an earlier commit, that does the same in the same run.
    #[arg(long, value_name = "REPLICATOR")]
    against: Option<PathBuf>,
    /// Where the results go as JSON.
    #[arg(long, default_value = "bench.json")]
    output: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command { whole, part } = Command::parse();
    match part {
        Some(Part::Parts(options)) => parts::run(&options).await,
        Some(Part::Copy(options)) => copy::measure(&options).await,
        Some(Part::Engine(options)) => engine::run(&options).await,
        Some(Part::Step(step)) => step.run().await,
        None => whole.run().await,
    }
}

impl Whole {
    async fn run(&self) -> anyhow::Result<()> {
        let workload = Workload { rows: self.rows, updates: self.events };
        let program = program(self.replicator.as_deref())?;
        let stack = BenchStack::up(workload, &self.format, &self.storage).await?;
        let oracle = Oracle::start().await?;
        let mut report = Report::new(workload);
        for (format, storage) in self.runs() {
            eprintln!("{} to {}…", format.name(), storage.name());
            let commit_size = self.commit_size;
            report.runs.push(run(&stack, &oracle, &program, Run { format, storage, commit_size }).await?);
            if let Some(other) = &self.against {
                eprintln!("the same by {}…", other.display());
                report.against.push(run(&stack, &oracle, other, Run { format, storage, commit_size }).await?);
            }
        }
        if self.peer {
            for &format in &self.format {
                let commit_size = Some(stack.comparable_commit_size(format).await?);
                eprintln!("{} to local, {} changes a commit…", format.name(), peer::CHANGES);
                let comparable = Run { format, storage: Storage::Local, commit_size };
                report.compared.push(run(&stack, &oracle, &program, comparable).await?);
            }
            drop(stack);
            eprintln!("delta-rs MERGE…");
            report.peer = Some(peer::run(&oracle, workload, peer::CHANGES).await?);
            eprintln!("the table alone…");
            let (messages, decoder) = parts::source(Format::Json, workload, None).await?;
            let rates = parts::measure(&messages, decoder, workload, peer::CHANGES).await?;
            report.table_alone_per_s = Some(rates.table_per_second());
        }
        report.print();
        report.write(&self.output)
    }

    fn runs(&self) -> impl Iterator<Item = (Format, Storage)> + '_ {
        self.format.iter().flat_map(|&format| self.storage.iter().map(move |&storage| (format, storage)))
    }
}

/// The replicator that is named, or the one beside this program.
fn program(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("replicator");
    let program = named.map_or(beside, Path::to_path_buf);
    anyhow::ensure!(program.exists(), "there is no {}: build it, or name it by --replicator", program.display());
    Ok(program)
}
