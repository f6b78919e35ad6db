//! `stack up | down | status | logs`: the real services on this machine, for as long as one likes.

use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tributary_e2e::stack::{
    Addresses, Lifetime, Part, PortChoice, SCRAM_PASSWORD, SCRAM_USER, Stack, StackOptions, StackState, log_path,
    probe, stop_detached,
};

/// `PostgreSQL`, Kafka, Kafka Connect with Debezium, a schema registry and S3, as processes on this machine.
#[derive(Parser)]
#[command(name = "stack", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything, print the addresses, and leave it running.
    Up(Up),
    /// Stop what `up` left running and remove its data. Logs stay.
    Down(Place),
    /// Show each part: its process, its address, whether it answers.
    Status(Place),
    /// Print the logs of one part or of all.
    Logs(Logs),
    /// Download and install what `up` needs, and start nothing.
    Fetch,
}

#[derive(Args)]
struct Place {
    /// Where the stack keeps data, configuration and logs [default: tributary-stack-USER in the system's temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> PathBuf {
        // Not in the user's home: there, the user whom root runs PostgreSQL as could not reach it.
        let default = || std::env::temp_dir().join(format!("tributary-stack-{}", rustix::process::getuid()));
        self.dir.clone().unwrap_or_else(default)
    }
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    place: Place,
    /// The address that everything listens on and advertises.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The first of eight ports in a row; 0 takes free ones.
    #[arg(long, default_value_t = 15_432)]
    base_port: u16,
    /// Leave these parts out.
    #[arg(long, value_delimiter = ',')]
    without: Vec<Part>,
    /// Stay until Ctrl-C, then stop everything.
    #[arg(long)]
    foreground: bool,
}

#[derive(Args)]
struct Logs {
    /// The part [default: all].
    part: Option<Part>,
    #[command(flatten)]
    place: Place,
    /// Go on as they grow.
    #[arg(short, long)]
    follow: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    show_progress();
    match run(arguments.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up(up) => self::up(up).await,
        Command::Down(place) => down(&place.path()),
        Command::Status(place) => status(&place.path()).await,
        Command::Logs(logs) => self::logs(&logs),
        Command::Fetch => Stack::fetch(Part::ALL.into()).await,
    }
}

/// What the stack does, on stderr. What librdkafka says of a broker that is not up yet is left out.
fn show_progress() {
    let filter = EnvFilter::new("info,rdkafka=off,librdkafka=off");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
}

async fn up(up: Up) -> anyhow::Result<()> {
    let directory = up.place.path();
    let options = StackOptions {
        bind: up.bind,
        ports: if up.base_port == 0 { PortChoice::Free } else { PortChoice::From(up.base_port) },
        directory: Some(directory.clone()),
        parts: Part::ALL.into_iter().filter(|part| !up.without.contains(part)).collect(),
        lifetime: if up.foreground { Lifetime::WithParent } else { Lifetime::Detached },
        ..StackOptions::default()
    };
    let start = Instant::now();
    let stack = tokio::select! {
        stack = Stack::up(options) => stack?,
        signal = interrupted() => return signal,
    };
    println!("The stack is up after {:.0} s, in {}.\n", start.elapsed().as_secs_f64(), directory.display());
    print_addresses(&stack);
    if up.foreground { stay(&stack).await } else { stack.detach() }
}

/// Until Ctrl-C or SIGTERM. Dropping what was started stops it.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        _ = terminate.recv() => {}
    }
    eprintln!("stopping…");
    Ok(())
}

async fn stay(stack: &Stack) -> anyhow::Result<()> {
    println!("\nCtrl-C stops it.");
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    let died = async {
        loop {
            every_second.tick().await;
            if let Some(what) = stack.ended() {
                return what;
            }
        }
    };
    tokio::select! {
        signal = interrupted() => signal,
        what = died => anyhow::bail!("{what}"),
    }
}

fn print_addresses(stack: &Stack) {
    for part in stack.processes().into_keys() {
        println!("{part:<9} {}", stack.addresses().of(part));
    }
    if stack.processes().contains_key(&Part::Kafka) {
        print_secure_addresses(stack.addresses(), &stack.tls().ca_pem);
    }
}

fn print_secure_addresses(addresses: &Addresses, ca: &Path) {
    println!(
        "          {} with TLS and SCRAM-SHA-512, user {SCRAM_USER}, password {SCRAM_PASSWORD}",
        addresses.scram_bootstrap_servers()
    );
    println!("          {} with TLS and a client certificate", addresses.mtls_bootstrap_servers());
    println!("          the authority's certificate is {}, the client's is beside it", ca.display());
}

fn down(directory: &Path) -> anyhow::Result<()> {
    let stopped = stop_detached(directory)?;
    if stopped.is_empty() {
        println!("No stack is running in {}.", directory.display());
    } else {
        let names: Vec<&str> = stopped.into_iter().map(Part::name).collect();
        println!("Stopped {}.", names.join(", "));
    }
    Ok(())
}

async fn status(directory: &Path) -> anyhow::Result<()> {
    let Some(state) = StackState::read(directory)? else {
        anyhow::bail!("no stack is running in {}: `stack up` starts one", directory.display())
    };
    println!("{:<9} {:>8} {:<9} ADDRESS", "PART", "PID", "STATE");
    let mut all_ready = true;
    for (&part, id) in &state.parts {
        let (word, why) = match probe(part, &state.addresses).await {
            _ if !id.is_alive() => ("ended", format!(" (see `stack logs {part}`)")),
            Ok(()) => ("ready", String::new()),
            Err(error) => ("not ready", format!(" ({error:#})")),
        };
        all_ready &= word == "ready";
        println!("{part:<9} {:>8} {word:<9} {}{why}", id.pid, state.addresses.of(part));
    }
    anyhow::ensure!(all_ready, "not every part is ready");
    Ok(())
}

/// Becomes `tail`, which knows how to follow files.
fn logs(logs: &Logs) -> anyhow::Result<()> {
    let directory = logs.place.path();
    let parts = logs.part.map_or_else(|| Part::ALL.to_vec(), |part| vec![part]);
    let paths: Vec<PathBuf> =
        parts.into_iter().map(|part| log_path(&directory, part)).filter(|log| log.exists()).collect();
    anyhow::ensure!(!paths.is_empty(), "there are no logs in {}: was a stack started there?", directory.display());
    let mut tail = std::process::Command::new("tail");
    tail.arg("-n").arg(if logs.follow { "20" } else { "+1" }).args(logs.follow.then_some("-F")).args(paths);
    Err(tail.exec().into())
}
