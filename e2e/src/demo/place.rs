//! The folder and the ports of a demo, and what it takes to stop one that was left running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::DemoOptions;
use crate::stack::{
    Lifetime, Part, PortChoice, PortClaims, ProcessId, StackOptions, StackState, claim_one, stop_detached,
};

/// The first of the ports of a demo that is left running: eight of the stack, then the replicator's.
const FIRST_PORT: u16 = 16_432;
const HTTP_PORT: u16 = FIRST_PORT + 8;

/// In the folder of a demo that was left running: who to stop beside the stack.
#[derive(Serialize, Deserialize)]
struct Kept {
    replicator: ProcessId,
}

const KEPT: &str = "demo.json";

/// Where a demo that is left running has its folder, if none was chosen: one for each user.
pub fn default_directory() -> PathBuf {
    std::env::temp_dir().join(format!("tributary-demo-{}", rustix::process::getuid()))
}

/// The folder to use; `None` is a temporary one.
pub(super) fn directory(options: &DemoOptions) -> Option<PathBuf> {
    options.directory.clone().or_else(|| options.keep.then(default_directory))
}

/// Refuses a folder in which a demo was left running.
pub(super) fn check(directory: &Path) -> anyhow::Result<()> {
    let running = StackState::read(directory)?.is_some_and(|state| state.is_alive());
    anyhow::ensure!(
        !running,
        "a demo or a stack is running in {}; stop it with\n\n{}",
        directory.display(),
        stop_command(directory)
    );
    Ok(())
}

/// Notes that this replicator was left running.
pub(super) fn keep(directory: &Path, replicator: ProcessId) -> anyhow::Result<()> {
    let path = directory.join(KEPT);
    let kept = serde_json::to_vec(&Kept { replicator })?;
    std::fs::write(&path, kept).with_context(|| format!("cannot write {}", path.display()))
}

/// The stack of a demo. Without Avro nobody needs a registry.
pub(super) fn stack_options(options: &DemoOptions) -> StackOptions {
    let stack = StackOptions {
        directory: directory(options),
        ports: if options.keep { PortChoice::From(FIRST_PORT) } else { PortChoice::Free },
        lifetime: lifetime(options),
        ..StackOptions::default()
    };
    match options.format {
        super::EventFormat::Json => stack.without(Part::Registry),
        super::EventFormat::Avro => stack,
    }
}

pub(super) fn lifetime(options: &DemoOptions) -> Lifetime {
    if options.keep { Lifetime::Detached } else { Lifetime::WithParent }
}

/// The replicator's port, and the claim on it.
pub(super) fn http_port(options: &DemoOptions) -> anyhow::Result<(u16, PortClaims)> {
    let choice = if options.keep { PortChoice::From(HTTP_PORT) } else { PortChoice::Free };
    claim_one(std::net::Ipv4Addr::LOCALHOST.into(), choice)
}

/// The command line that stops the demo in this folder.
pub(super) fn stop_command(directory: &Path) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "demo".into());
    format!("{} --stop --dir {}", program.display(), directory.display())
}

/// Stops what was left running in this folder: first the replicator, in good order, then the stack. Only logs stay.
/// Returns what was running. Blocks.
pub fn stop(directory: &Path) -> anyhow::Result<Vec<&'static str>> {
    let path = directory.join(KEPT);
    let mut stopped = Vec::new();
    if path.exists() {
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let kept: Kept =
            serde_json::from_slice(&text).with_context(|| format!("{} is not a demo's", path.display()))?;
        if kept.replicator.is_alive() {
            kept.replicator.stop(Signal::TERM, Duration::from_secs(30));
            stopped.push("replicator");
        }
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    stopped.extend(stop_detached(directory)?.into_iter().map(Part::name));
    Ok(stopped)
}
