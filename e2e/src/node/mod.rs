//! A real Kubernetes of one node on this machine, without Docker: its programs as processes inside namespaces of their own,
//! as in a container. Services that run on the host, at [`Node::host_address`], are reached from pods at that address.

mod bundle;
mod certificates;
mod configuration;
mod control;
mod directory;
mod go;
mod image;
mod kubeconfig;
mod machine;
mod network;
mod options;
mod part;
mod program;
mod ready;
mod requirements;
mod runtime;
mod state;
mod strimzi;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

pub use control::node_log;
pub use image::ImageBuild;
pub use options::NodeOptions;
pub use part::NodePart;
pub use requirements::{host_release, is_possible};
pub use state::{NodeState, default_directory, stop_node};
pub use strimzi::strimzi_crds;

use anyhow::Context;

use crate::stack::Lifetime;
use bundle::Bundle;
use control::Processes;
use directory::Directory;
use machine::Machine;
use network::Network;

/// The path of Helm, which is built first if the cache lacks it. Blocks.
pub fn helm() -> anyhow::Result<PathBuf> {
    Ok(bundle::ready()?.program("helm"))
}

/// The path of Go, which is downloaded first if the machine lacks it. Blocks.
pub fn go() -> anyhow::Result<PathBuf> {
    go::toolchain()
}

/// The name of the node in its cluster.
pub const NODE_NAME: &str = "tributary";

/// A running node. The one who started it owns it: everything of it ends when it is dropped, or when the program that holds
/// it dies. One that was attached to goes on.
#[derive(Debug)]
pub struct Node {
    /// What this program started: nothing if the node was attached to. First, so that it ends before its directory does.
    processes: Option<Mutex<Processes>>,
    bundle: Bundle,
    directory: Directory,
    network: Network,
    lifetime: Lifetime,
    machine: Machine,
}

impl Node {
    /// Starts a node and returns when it is ready and names are resolved on it. Installs and builds what is missing first,
    /// which takes minutes once.
    pub async fn up(options: NodeOptions) -> anyhow::Result<Self> {
        if let Some(directory) = &options.directory {
            state::refuse_second_node(directory)?;
        }
        let bundle = tokio::task::spawn_blocking(bundle::ready).await??;
        control::up(bundle, options).await
    }

    /// The node that runs in this folder, started by somebody else.
    pub async fn attach(directory: &Path) -> anyhow::Result<Self> {
        let state = NodeState::read(directory)?.filter(NodeState::is_alive);
        let Some(state) = state else {
            anyhow::bail!("no node is running in {}: `node up` starts one", directory.display())
        };
        let directory = Directory::existing(directory)?;
        let starting = || format!("the node in {} is just starting", directory.path().display());
        Ok(Self {
            bundle: tokio::task::spawn_blocking(bundle::ready).await??,
            network: Network::numbered(state.number.with_context(starting)?),
            machine: Machine::read(&directory)?.with_context(starting)?,
            directory,
            lifetime: Lifetime::Detached,
            processes: None,
        })
    }

    /// Builds and installs what a node, its images and Strimzi's definitions need, and starts nothing.
    pub async fn fetch() -> anyhow::Result<()> {
        let fetch = || {
            bundle::ready()?;
            image::base_image()?;
            strimzi_crds().map(drop)
        };
        tokio::task::spawn_blocking(fetch).await?
    }

    /// The node's own address: the API server is at port 6443 of it.
    pub fn address(&self) -> Ipv4Addr {
        self.network.node()
    }

    /// The host's address on the link between host and node: what listens here is reached by pods and by host processes alike.
    pub fn host_address(&self) -> Ipv4Addr {
        self.network.host()
    }

    /// Where data, configuration and logs are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Credentials of the cluster's administrator, as `KUBECONFIG` wants them. Usable from the host.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.kubeconfig("admin")
    }

    /// The programs that come with the node, to be used with [`kubeconfig`](Self::kubeconfig): `kubectl` and `helm` are
    /// among them.
    pub fn programs(&self) -> &Path {
        self.bundle.programs()
    }

    /// `kubectl` for this node.
    pub fn kubectl(&self) -> Command {
        self.command("kubectl")
    }

    /// `helm` for this node.
    pub fn helm(&self) -> Command {
        self.command("helm")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bundle.program(program));
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }
}
