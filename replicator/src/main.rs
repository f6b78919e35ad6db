//! The `replicator` command: run, check, status, restart, resync, maintain.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use tributary_replicator::check;
use tributary_replicator::maintain::maintain;
use tributary_replicator::report::{self, LogFormat, ResourceName};
use tributary_replicator::resync::resync;
use tributary_replicator::run::run;
use tributary_replicator::settings::{Secrets, SettingsError, Shard};
use tributary_replicator::table::Maintained;
use url::Url;

/// Keeps Delta Lake tables equal to the tables of a database.
#[derive(Parser)]
#[command(name = "replicator", version, about)]
struct Command {
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t, env = "TRIBUTARY_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Replicates the tables of a CdcReplication until SIGTERM.
    Run(Run),
    /// Checks a CdcReplication and all it points at: each line says ok, or what is wrong and what to do.
    Check(Document),
    /// Shows the tables of a running replicator.
    Status(Running),
    /// Compacts, checkpoints, cleans and vacuums one table now; the replicator may write it meanwhile.
    Maintain {
        #[command(flatten)]
        document: Source,
        /// The table as schema.table.
        table: String,
    },
    /// Copies one table anew from its source; readers have the old rows until one commit swaps them. The replicator that answers does
    /// it at once, another one when it opens the table next (`replicator restart`).
    Resync {
        #[command(flatten)]
        document: Source,
        /// Where the replicator answers, if not on this machine at spec.replicator.httpPort of FILE.
        #[arg(long)]
        url: Option<Url>,
        /// The table as schema.table.
        table: String,
    },
    /// Starts one table of a running replicator again, while the others go on: after what stopped it was cured.
    Restart {
        #[command(flatten)]
        replicator: Running,
        /// The table as schema.table.
        table: String,
    },
}

#[derive(Args)]
struct Running {
    /// File with the CdcReplication of the replicator.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Where it answers, if not on this machine at spec.replicator.httpPort of FILE, or at 8080 without one.
    #[arg(long)]
    url: Option<Url>,
}

impl Running {
    fn url(self) -> Result<Url, SettingsError> {
        report::address(self.url, self.file.as_deref())
    }
}

#[derive(Args)]
struct Source {
    /// File with the CdcReplication.
    #[arg(short, long)]
    file: PathBuf,
    /// Directory with the Secrets that the document refers to, one file per key: DIR/<secretName>/<key>.
    #[arg(long)]
    secrets: Option<PathBuf>,
}

#[derive(Args)]
struct Document {
    #[command(flatten)]
    source: Source,
    /// Which share of the tables is ours: `1/3` is the second of three.
    #[arg(long, default_value = "0/1", env = "TRIBUTARY_SHARD")]
    shard: Shard,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    document: Document,
    /// The CdcReplication, as NAMESPACE/NAME, whose status is to say how our tables are doing. In a pod.
    #[arg(long, value_name = "NAMESPACE/NAME", env = "TRIBUTARY_STATUS_OF")]
    status_of: Option<ResourceName>,
    /// Directory of the key index: about 16 bytes for each row. It can be lost. Without it the index is kept in memory.
    #[arg(long, value_name = "DIR", env = "TRIBUTARY_INDEX_DIR")]
    index_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    // The one that object_store signs with; chosen here because a dependency might bring another one some day.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = Command::parse();
    report::start_logging(command.log_format);
    match start(command.action) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", report::describe(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn start(action: Action) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    match action {
        Action::Run(Run { document: Document { source, shard }, status_of, index_dir }) => {
            let secrets = Secrets::new(source.secrets.as_deref());
            let ended = runtime.block_on(run(&source.file, &secrets, shard, status_of, index_dir));
            // What was abandoned must not keep the process.
            runtime.shutdown_background();
            ended?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Check(Document { source, shard }) => {
            let secrets = Secrets::new(source.secrets.as_deref());
            let lines = runtime.block_on(check::file(&source.file, &secrets, shard));
            for line in &lines {
                println!("{line}");
            }
            let usable = !lines.iter().any(check::CheckLine::is_problem);
            Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Maintain { document, table } => {
            let secrets = Secrets::new(document.secrets.as_deref());
            for done in runtime.block_on(maintain(&document.file, &secrets, &table))? {
                let Maintained { job, removed, written, bytes_written } = done;
                println!("{}: {removed} objects gone, {written} written ({bytes_written} bytes)", job.name());
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Resync { document, url, table } => {
            let secrets = Secrets::new(document.secrets.as_deref());
            let url = report::address(url, Some(&document.file))?;
            runtime.block_on(resync(&document.file, &secrets, &table))?;
            match runtime.block_on(report::restart(&url, &table)) {
                Ok(()) => println!("{table} is being copied anew; `replicator status` shows how far that is"),
                Err(error) => println!("{table} will be copied anew when the replicator opens it next ({error})"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Restart { replicator, table } => {
            runtime.block_on(report::restart(&replicator.url()?, &table))?;
            println!("{table} is started again; `replicator status` shows how it goes");
            Ok(ExitCode::SUCCESS)
        }
        Action::Status(replicator) => {
            let tables = runtime.block_on(report::fetch(&replicator.url()?))?;
            print!("{}", report::render(&tables, Timestamp::now()));
            Ok(ExitCode::SUCCESS)
        }
    }
}
