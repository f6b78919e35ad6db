//! `cluster run [COMMAND…]`: a Kubernetes with Strimzi (played), the services and the operator, for as long as a command runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tributary_e2e::cluster::LocalCluster;

/// A cluster on this machine, without Docker: a one-node Kubernetes, a stand-in for Strimzi that runs the real Kafka and Connect,
/// Postgres, S3, a registry, and the operator as Helm installs it.
#[derive(Parser)]
#[command(name = "cluster", version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Brings it up, runs a command that finds it by KUBECONFIG, and stops it. Without a command: until Ctrl-C.
    Run {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let lines = tracing_subscriber::fmt().with_ansi(false).with_level(false).with_target(false).without_time();
    lines.with_writer(std::io::stderr).with_env_filter(EnvFilter::new("off,tributary_e2e=info")).init();
    let Action::Run { command } = Arguments::parse().action;
    run(&command).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(command: &[String]) -> anyhow::Result<ExitCode> {
    tokio::select! {
        code = use_cluster(command) => code,
        stopped = interrupted() => stopped.map(|()| ExitCode::from(130)),
    }
}

async fn use_cluster(command: &[String]) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut cluster = LocalCluster::up().await?;
    cluster.load_images().await?;
    cluster.install_operator(&[]).await?;
    cluster.describe().await?;
    eprintln!("The cluster is up after {:.0} s.", started.elapsed().as_secs_f64());
    let Some((program, arguments)) = command.split_first() else {
        print_environment(&cluster);
        return Err(died(&mut cluster).await);
    };
    let mut child = tokio::process::Command::new("env");
    child.arg(program).args(arguments).envs(cluster.environment()).kill_on_drop(true);
    let mut child = child.spawn().with_context(|| format!("cannot run {program}"))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        error = died(&mut cluster) => return Err(error),
    };
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_environment(cluster: &LocalCluster) {
    println!("To use it from another terminal:\n");
    for (name, value) in cluster.environment() {
        println!("export {name}={}", value.to_string_lossy());
    }
    println!("\nPostgres: {}", cluster.addresses().postgres_url("postgres"));
    println!("S3:       {}", cluster.addresses().s3_endpoint());
    println!("registry: {}\n\nCtrl-C stops everything.", cluster.addresses().registry_url());
}

/// When a part of it ends by itself, there is no point in going on.
async fn died(cluster: &mut LocalCluster) -> anyhow::Error {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        every_second.tick().await;
        if let Some(what) = cluster.ended() {
            return anyhow::anyhow!("{what}");
        }
    }
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    eprintln!("stopping…");
    Ok(())
}
