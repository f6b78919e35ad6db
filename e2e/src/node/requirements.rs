//! What a machine must be and have to run a node: Linux, root, control groups, and a few packages.

use std::path::Path;

use anyhow::Context;

use crate::stack::machine;

/// Whether this machine can run a node; else why not.
pub fn is_possible() -> Result<(), String> {
    let wanted = "a node needs Linux, root and control groups";
    if !cfg!(target_os = "linux") {
        return Err(format!("{wanted}: this is {}; use kind instead (kind/README.md)", std::env::consts::OS));
    }
    if !machine::is_root() {
        return Err(format!(
            "{wanted}: run this as root, as in `sudo -E make …`, or use kind instead (kind/README.md)"
        ));
    }
    let groups = Path::new("/sys/fs/cgroup");
    let version_2 = groups.join("cgroup.controllers").exists();
    if !version_2 && !groups.join("memory").is_dir() {
        return Err(format!("{wanted}: none are mounted at {}", groups.display()));
    }
    if std::fs::File::options().append(true).open("/proc/self/oom_score_adj").is_err() {
        return Err(format!("{wanted}: /proc cannot be written to, as in a container without privileges"));
    }
    Ok(())
}

/// Checks the machine, and installs the packages that it lacks.
pub(super) fn check() -> anyhow::Result<()> {
    is_possible().map_err(anyhow::Error::msg)?;
    machine::require(&[
        machine::Program::Setpriv,
        machine::Program::Openssl,
        machine::Program::Namespaces,
        machine::Program::Ip,
        machine::Program::Containerd,
        machine::Program::Runc,
        machine::Program::CniPlugins,
        machine::Program::Nftables,
    ])
}

/// The code name of the host's release, as in `bookworm`.
pub fn host_release() -> anyhow::Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(|name| name.trim_matches('"').to_owned()).context("/etc/os-release has no VERSION_CODENAME")
}
