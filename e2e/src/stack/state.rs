//! The state file of a stack in a chosen folder: who belongs to it, so that another program can look at it or stop it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use super::{Addresses, Part, directory};

/// What the state file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackState {
    /// Where the parts listen.
    pub addresses: Addresses,
    /// The process of each part.
    pub parts: BTreeMap<Part, ProcessId>,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("stack.json")
}

impl StackState {
    /// The state of the stack in this folder; `None` when there is none.
    pub fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(directory);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let state = serde_json::from_str(&text);
        state.map(Some).with_context(|| format!("{} is not the state of a stack: remove it", path.display()))
    }

    /// Whether any of its processes runs.
    pub fn is_alive(&self) -> bool {
        self.parts.values().any(|id| id.is_alive())
    }

    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let path = path(directory);
        let new = path.with_extension("new");
        std::fs::write(&new, serde_json::to_string_pretty(self)?)
            .and_then(|()| std::fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

pub(super) fn remove(directory: &Path) {
    // It may be gone already, as after `stack down` in another terminal.
    let _ = std::fs::remove_file(path(directory));
}

/// Stops the stack in this folder, each part by its process number and start time: a number that another process has got
/// since is left alone. Its data is removed, its logs stay. Returns the parts that were running. Blocks.
pub fn stop_detached(directory: &Path) -> anyhow::Result<Vec<Part>> {
    let Some(state) = StackState::read(directory)? else { return Ok(vec![]) };
    let alive: Vec<Part> = state.parts.iter().filter(|(_, id)| id.is_alive()).map(|(part, _)| *part).collect();
    // Those who use a part stop before it does.
    for part in STOP_ORDER {
        if let Some(id) = state.parts.get(&part) {
            id.stop(stop_signal(part), Duration::from_secs(15));
        }
    }
    remove(directory);
    directory::clear(directory)?;
    Ok(alive)
}

const STOP_ORDER: [Part; 5] = [Part::Connect, Part::Registry, Part::S3, Part::Kafka, Part::Postgres];

/// What ends a part in good order.
fn stop_signal(part: Part) -> Signal {
    match part {
        // A "fast shutdown": clients are disconnected.
        Part::Postgres => Signal::INT,
        Part::Kafka | Part::Connect => Signal::TERM,
        // They have nothing to save.
        Part::Registry | Part::S3 => Signal::KILL,
    }
}
