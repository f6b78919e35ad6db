//! `node up | down | status | load`: a real Kubernetes of one node on this machine, for as long as one likes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tributary_e2e::node::{Node, NodeOptions, NodeState, default_directory, node_log, stop_node};
use tributary_e2e::stack::Lifetime;

/// Kubernetes of one node without Docker: the real programs, in namespaces of their own on this machine.
#[derive(Parser)]
#[command(name = "node", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a node, print how to use it, and leave it running.
    Up(Up),
    /// Stop what `up` left running and remove its data. Logs stay.
    Down(Place),
    /// Show the node's processes, addresses, and whether it answers.
    Status(Place),
    /// Load images into the node from archives, as `docker save` and `buildah push` write them.
    Load(Load),
    /// Download, install and build what `up` needs, and start nothing.
    Fetch,
}

#[derive(Args)]
struct Place {
    /// Where the node keeps data, configuration and logs [default: tributary-node-USER in the system's temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(default_directory)
    }
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    place: Place,
    /// Install the definitions of Strimzi's kinds too.
    #[arg(long)]
    strimzi_crds: bool,
    /// Stay until Ctrl-C, then stop the node.
    #[arg(long)]
    foreground: bool,
}

#[derive(Args)]
struct Load {
    #[command(flatten)]
    place: Place,
    /// The archives.
    #[arg(required = true)]
    archives: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::new("info");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
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
        Command::Down(place) => down(place.path()).await,
        Command::Status(place) => status(&place.path()).await,
        Command::Load(load) => self::load(load).await,
        Command::Fetch => Node::fetch().await,
    }
}

async fn up(up: Up) -> anyhow::Result<()> {
    let lifetime = if up.foreground { Lifetime::WithParent } else { Lifetime::Detached };
    let options = NodeOptions { directory: Some(up.place.path()), lifetime };
    let start = Instant::now();
    let starting = async {
        let node = Node::up(options).await?;
        if up.strimzi_crds {
            node.install_strimzi_crds().await?;
        }
        anyhow::Ok(node)
    };
    let node = tokio::select! {
        node = starting => node?,
        signal = interrupted() => return signal,
    };
    println!("The node is up after {:.0} s.\n", start.elapsed().as_secs_f64());
    print_use(&node);
    if up.foreground { stay(&node).await } else { node.detach() }
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

async fn stay(node: &Node) -> anyhow::Result<()> {
    println!("\nCtrl-C stops it.");
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    let died = async {
        loop {
            every_second.tick().await;
            if let Some(what) = node.ended() {
                return what;
            }
        }
    };
    tokio::select! {
        signal = interrupted() => signal,
        what = died => anyhow::bail!("{what}"),
    }
}

fn print_use(node: &Node) {
    println!("export KUBECONFIG={}", node.kubeconfig().display());
    println!("export PATH={}:$PATH   # kubectl, helm", node.programs().display());
    println!("# Pods reach what listens on this host at {}.", node.host_address());
}

async fn down(directory: PathBuf) -> anyhow::Result<()> {
    let shown = directory.display().to_string();
    let stopped = tokio::task::spawn_blocking(move || stop_node(&directory)).await??;
    println!("{}", if stopped { "Stopped the node.".to_owned() } else { format!("No node is running in {shown}.") });
    Ok(())
}

async fn status(directory: &Path) -> anyhow::Result<()> {
    let state = NodeState::read(directory)?.filter(NodeState::is_alive);
    let none = || format!("no node is running in {}: `node up` starts one", directory.display());
    let state = state.with_context(none)?;
    println!("{:<18} {:>8} STATE", "PART", "PID");
    for (&part, id) in &state.parts {
        let word = if id.is_alive() {
            "runs".to_owned()
        } else {
            format!("ended (see {})", node_log(directory, part).display())
        };
        println!("{part:<18} {:>8} {word}", id.pid);
    }
    let node = Node::attach(directory).await?;
    println!();
    print_use(&node);
    node.probe().await
}

async fn load(load: Load) -> anyhow::Result<()> {
    let node = Node::attach(&load.place.path()).await?;
    for archive in &load.archives {
        node.load_archive(archive).await?;
        println!("Loaded {}.", archive.display());
    }
    Ok(())
}
