//! `demo`: watch the Postgres of a shop become Delta tables on S3, and stay equal while the shop works.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tributary_e2e::demo::{self, DemoOptions, EventFormat};

/// Starts Postgres, Kafka, Debezium and S3 on this machine, replicates a shop's database to Delta tables while it changes,
/// compares both row by row, and stops everything.
#[derive(Parser)]
#[command(name = "demo", version)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Arguments {
    /// Orders that the shop starts with.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    orders: u32,
    /// How many seconds the workload runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// On a Kubernetes of its own, with the operator.
    #[arg(long, conflicts_with = "dir")]
    kubernetes: bool,
    /// Leave everything running in the end, on fixed ports, and say where.
    #[arg(long)]
    keep: bool,
    /// Folder for data, logs, the resource and its Secrets [default: a temporary one; with --keep: tributary-demo-USER in
    /// the system's temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How changes are written to Kafka.
    #[arg(long, value_enum, default_value = "json")]
    format: EventFormat,
    /// Download, install and build what the demo needs, and start nothing.
    #[arg(long, conflicts_with_all = ["orders", "seconds", "keep", "format", "dir", "stop"])]
    fetch: bool,
    /// Stop what --keep left running.
    #[arg(long, conflicts_with_all = ["orders", "seconds", "keep", "format"])]
    stop: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    show_progress();
    let done = match arguments {
        Arguments { stop: true, dir, .. } => stop(dir),
        Arguments { fetch: true, kubernetes, .. } => demo::fetch(kubernetes).await.map(|()| ExitCode::SUCCESS),
        arguments => show(arguments).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("\nerror: {error:#}");
        ExitCode::FAILURE
    })
}

/// What the stack says as it starts, among the lines of the step that it belongs to.
fn show_progress() {
    let lines = tracing_subscriber::fmt().with_writer(|| Indented).with_ansi(false);
    let lines = lines.with_level(false).with_target(false).without_time();
    lines.with_env_filter(EnvFilter::new("off,tributary_e2e=info")).init();
}

struct Indented;

impl Write for Indented {
    /// Gets one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        out.write_all(b"      ")?;
        out.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

async fn show(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let options = DemoOptions {
        orders: arguments.orders,
        workload: Duration::from_secs(arguments.seconds),
        keep: arguments.keep,
        directory: arguments.dir,
        format: arguments.format,
    };
    let mut interrupts = Interrupts::new()?;
    let mut run: Pin<Box<dyn Future<Output = anyhow::Result<()>>>> =
        if arguments.kubernetes { Box::pin(demo::run_on_kubernetes(&options)) } else { Box::pin(demo::run(&options)) };
    tokio::select! {
        result = &mut run => result.map(|()| ExitCode::SUCCESS),
        () = interrupts.next() => {
            eprintln!("\nstopping everything…");
            // Who cannot wait interrupts again.
            tokio::spawn(async move {
                interrupts.next().await;
                std::process::exit(130);
            });
            // What was started is stopped as it is dropped.
            drop(run);
            Ok(ExitCode::from(130))
        }
    }
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn stop(directory: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let directory = directory.unwrap_or_else(demo::default_directory);
    let stopped = demo::stop(&directory)?;
    match stopped.as_slice() {
        [] => println!("No demo is running in {}.", directory.display()),
        names => println!("Stopped {}.", names.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}
