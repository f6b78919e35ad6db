//! The state file of a node: who belongs to it, so that another program can look at it, use it or stop it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::NodePart;
use super::network::Network;
use crate::stack::ProcessId;

/// What the state file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeState {
    /// The node's addresses are in 10.NUMBER.0.0/16; `None` until it has some.
    pub number: Option<u8>,
    /// The name of the node's control groups.
    pub control_group: String,
    /// The process that ends with the node, and cleans up behind it.
    pub keeper: ProcessId,
    /// The process of each part.
    pub parts: BTreeMap<NodePart, ProcessId>,
}

/// Where the program `node` keeps its node unless told otherwise.
pub fn default_directory() -> PathBuf {
    std::env::temp_dir().join(format!("tributary-node-{}", rustix::process::getuid()))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("node.json")
}

impl NodeState {
    /// The state of the node in this folder; `None` when there is none.
    pub fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(directory);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let state = serde_json::from_str(&text);
        state.map(Some).with_context(|| format!("{} is not the state of a node: remove it", path.display()))
    }

    /// Whether its keeper runs: the node's machine runs exactly as long.
    pub fn is_alive(&self) -> bool {
        self.keeper.is_alive()
    }

    /// Asks the keeper to end the machine and to clean up, and waits until nothing is left.
    pub(super) fn stop(&self) {
        self.keeper.stop(Signal::TERM, Duration::from_secs(30));
        // The parts on the host's side end when theirs in the machine have; the kernel removes the link in its own time.
        let connected = || self.number.is_some_and(|number| Network::numbered(number).is_there());
        let there = || self.parts.values().any(|id| id.is_alive()) || connected();
        let deadline = Instant::now() + Duration::from_secs(10);
        while there() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let path = path(directory);
        let new = path.with_extension("new");
        std::fs::write(&new, serde_json::to_string_pretty(self)?)
            .and_then(|()| std::fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

pub(super) fn refuse_second_node(directory: &Path) -> anyhow::Result<()> {
    let running = NodeState::read(directory)?.filter(NodeState::is_alive);
    anyhow::ensure!(
        running.is_none(),
        "a node is running in {}: `node status` shows it, `node down` stops it, --dir starts another beside it",
        directory.display()
    );
    Ok(())
}

/// Stops the node in this folder and waits until nothing of it is left but its logs. Returns whether one was running. Blocks.
pub fn stop_node(directory: &Path) -> anyhow::Result<bool> {
    let Some(state) = NodeState::read(directory)?.filter(NodeState::is_alive) else { return Ok(false) };
    state.stop();
    Ok(true)
}
