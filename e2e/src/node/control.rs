//! Starts the parts of a node in the order in which they need each other, watches them and ends them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;

use super::bundle::Bundle;
use super::directory::Directory;
use super::network::Network;
use super::{Node, NodeOptions, NodePart, NodeState, certificates, configuration, machine, program};
use crate::stack::{Lifetime, Process, ProcessId, log_end};

/// The processes of a node that this program started. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Processes {
    keeper: Process,
    parts: BTreeMap<NodePart, Process>,
    number: Option<u8>,
    directory: PathBuf,
    control_group: String,
    /// Nobody's any more: the node goes on.
    released: bool,
}

impl Processes {
    fn state(&self) -> NodeState {
        let parts = self.parts.iter().map(|(part, process)| (*part, process.id())).collect();
        let control_group = self.control_group.clone();
        NodeState { number: self.number, control_group, keeper: self.keeper.id(), parts }
    }

    fn write_state(&self) -> anyhow::Result<()> {
        self.state().write(&self.directory)
    }

    /// Which process has ended by itself, if one has, and how.
    fn ended(&mut self) -> Option<(&'static str, String)> {
        let all = self.parts.iter_mut().map(|(part, process)| (part.name(), process));
        let mut all = all.chain([("keeper", &mut self.keeper)]);
        all.find_map(|(name, process)| Some((name, process.ended()?.to_string())))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        self.state().stop();
        // They have ended: the kernel is told that nobody asks how.
        self.keeper.kill();
        self.parts.values_mut().for_each(Process::kill);
    }
}

/// A node with a machine and addresses, and then with all its parts.
pub(super) async fn up(bundle: Bundle, options: NodeOptions) -> anyhow::Result<Node> {
    let start = Instant::now();
    anyhow::ensure!(
        options.lifetime == Lifetime::WithParent || options.directory.is_some(),
        "a node that goes on without the program that started it needs a chosen directory"
    );
    let directory = Directory::create(options.directory.as_deref())?;
    let keeper = machine::start(&bundle, &directory, options.lifetime)?;
    let mut processes = Processes {
        keeper,
        parts: BTreeMap::new(),
        number: None,
        directory: directory.path().to_owned(),
        control_group: directory.id(),
        released: false,
    };
    processes.write_state()?;
    let machine = machine::booted(&mut processes.keeper, &directory).await?;
    let network = Network::connect(machine.pid())?;
    processes.number = Some(network.number());
    let node =
        Node { processes: Some(processes.into()), bundle, directory, network, lifetime: options.lifetime, machine };
    node.start_all().await?;
    tracing::info!("the node is ready after {:.1} s", start.elapsed().as_secs_f64());
    Ok(node)
}

impl Node {
    async fn start_all(&self) -> anyhow::Result<()> {
        let (pki, network) = (self.directory.pki(), self.network);
        tokio::task::spawn_blocking(move || certificates::generate(&pki, network)).await??;
        configuration::write(&self.directory, network)?;
        for part in [NodePart::Etcd, NodePart::Containerd, NodePart::Apiserver] {
            self.start(part)?;
        }
        let api = self.until_api_is_ready().await?;
        for part in [NodePart::ControllerManager, NodePart::Scheduler, NodePart::Proxy] {
            self.start(part)?;
        }
        self.apply(&configuration::first_objects()).await?;
        self.until_containerd_is_ready().await?;
        self.load_pause_image().await?;
        for part in [NodePart::Kubelet, NodePart::Dns] {
            self.start(part)?;
        }
        self.until_pods_can_run(&api).await
    }

    fn start(&self, part: NodePart) -> anyhow::Result<()> {
        let program = program::of(part, self.machine, &self.directory, self.network);
        let process = Process::start(&program, self.lifetime).with_context(|| format!("cannot start {part}"))?;
        let mut processes = self.owned().context("only the program that started a node can start parts of it")?;
        processes.parts.insert(part, process);
        processes.write_state()
    }

    /// Which part has ended by itself, if one has, and the end of its log.
    pub fn ended(&self) -> Option<String> {
        let (name, status) = self.owned()?.ended()?;
        Some(format!("the node's {name} ended with {status}; {}", log_end(&self.directory.log(name))))
    }

    /// The process of each part, if this program started the node.
    pub fn parts(&self) -> BTreeMap<NodePart, ProcessId> {
        self.owned().map(|processes| processes.state().parts).unwrap_or_default()
    }

    /// Where a part logs to.
    pub fn log(&self, part: NodePart) -> PathBuf {
        self.directory.log(part.name())
    }

    /// Leaves the node running without this program; `node down` or [`stop_node`](super::stop_node) stops it. It must have been
    /// started with [`Lifetime::Detached`].
    pub fn detach(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.lifetime == Lifetime::Detached,
            "only a node that was started with Lifetime::Detached can be left running"
        );
        if let Some(mut processes) = self.owned() {
            processes.released = true;
        }
        Ok(())
    }

    fn owned(&self) -> Option<MutexGuard<'_, Processes>> {
        // A panic elsewhere leaves the map whole: the processes must still be stopped.
        Some(self.processes.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a part of the node in this folder logs to.
pub fn node_log(directory: &Path, part: NodePart) -> PathBuf {
    directory.join("logs").join(format!("{part}.log"))
}
