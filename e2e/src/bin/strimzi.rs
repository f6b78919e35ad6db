//! `strimzi run | kill`: plays Strimzi's operators on a Kubernetes that Strimzi's images cannot be had for.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tributary_e2e::strimzi::{Strimzi, StrimziOptions, kill_connect, kill_kafka};

/// Plays Strimzi's operators: real Kafkas and Connects, as processes on this machine, for the Strimzi resources of a
/// cluster.
#[derive(Parser)]
#[command(name = "strimzi", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play until Ctrl-C or SIGTERM.
    Run(Run),
    /// Kill the processes of a Kafka or a Connect, as kill -9 does: they are started again, with their data.
    Kill(Kill),
}

#[derive(Args)]
struct Place {
    /// Where data, configuration and logs are kept [default: tributary-strimzi-USER in the system's temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> PathBuf {
        let default = || std::env::temp_dir().join(format!("tributary-strimzi-{}", rustix::process::getuid()));
        self.dir.clone().unwrap_or_else(default)
    }
}

#[derive(Args)]
struct Run {
    /// How to reach the cluster, as an administrator of it.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// The address that Kafka and Connect listen on: one that pods reach, such as the gateway of the node's bridge.
    #[arg(long)]
    bind: IpAddr,
    #[command(flatten)]
    place: Place,
    /// How often, in seconds, everything is looked at without a reason: statuses of connectors are as old as this.
    /// Strimzi's is 120.
    #[arg(long, default_value_t = 10)]
    refresh: u64,
    /// The unit, in seconds, of the pauses between automatic restarts of a connector. Strimzi's is 60.
    #[arg(long, default_value_t = 60)]
    auto_restart_minute: u64,
}

#[derive(Args)]
struct Kill {
    /// What to kill.
    #[arg(value_enum)]
    what: Victim,
    /// Its resource, as NAMESPACE/NAME.
    resource: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Victim {
    Kafka,
    Connect,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,rdkafka=off,librdkafka=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let result = match arguments.command {
        Command::Run(run) => self::run(&run).await,
        Command::Kill(kill) => self::kill(&kill),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(run: &Run) -> anyhow::Result<()> {
    let mut options = StrimziOptions::new(&run.kubeconfig, run.bind, run.place.path());
    anyhow::ensure!(run.refresh > 0, "--refresh must be at least 1 s");
    options.refresh = Duration::from_secs(run.refresh);
    options.auto_restart_minute = Duration::from_secs(run.auto_restart_minute);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut strimzi = tokio::select! {
        strimzi = Strimzi::start(options) => strimzi?,
        _ = terminate.recv() => return Ok(()),
    };
    println!("Strimzi is played: data and logs are in {}.", run.place.path().display());
    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        _ = terminate.recv() => {}
        error = strimzi.ended() => return Err(error),
    }
    strimzi.stop().await;
    Ok(())
}

fn kill(kill: &Kill) -> anyhow::Result<()> {
    let (namespace, name) = kill.resource.split_once('/').context("give the resource as NAMESPACE/NAME")?;
    let directory = kill.place.path();
    let killed = match kill.what {
        Victim::Kafka => kill_kafka(&directory, namespace, name),
        Victim::Connect => kill_connect(&directory, namespace, name),
    };
    anyhow::ensure!(killed > 0, "no process of {} runs in {}", kill.resource, directory.display());
    println!("Killed {killed}.");
    Ok(())
}
