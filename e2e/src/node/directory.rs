//! Where a node keeps its data, configuration and logs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// Where the node's directory is inside the node's machine.
pub(super) const INSIDE: &str = "/run/node";

const LOGS: &str = "logs";
/// The file that says that a folder is a node's, so that what is in it may be removed. The keeper knows it too.
const MARKER: &str = ".tributary-node";

/// The node's folder, removed with it when it was chosen by nobody.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Directory {
    /// A folder with nothing in it but what every node starts with.
    pub(super) fn create(chosen: Option<&Path>) -> anyhow::Result<Self> {
        let directory = match chosen {
            Some(path) => Self { path: own(path)?, temporary: None },
            None => Self::temporary()?,
        };
        clear(&directory.path)?;
        for folder in [LOGS, "pki", "clients", "etc"] {
            std::fs::create_dir_all(directory.path.join(folder))
                .with_context(|| format!("cannot create {folder} in {}", directory.path.display()))?;
        }
        Ok(directory)
    }

    fn temporary() -> anyhow::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("tributary-node-").tempdir();
        let temporary = temporary.context("cannot create a temporary folder")?;
        std::fs::write(temporary.path().join(MARKER), "")?;
        Ok(Self { path: temporary.path().canonicalize()?, temporary: Some(temporary) })
    }

    /// The folder of a node that runs.
    pub(super) fn existing(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { path: path.canonicalize()?, temporary: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// A name that no node in another folder has.
    pub(super) fn id(&self) -> String {
        format!("tributary-node-{:016x}", xxhash_rust::xxh3::xxh3_64(self.path.as_os_str().as_encoded_bytes()))
    }

    pub(super) fn pki(&self) -> PathBuf {
        self.path.join("pki")
    }

    /// Configuration files of the parts.
    pub(super) fn etc(&self) -> PathBuf {
        self.path.join("etc")
    }

    pub(super) fn kubeconfig(&self, client: &str) -> PathBuf {
        self.path.join("clients").join(client)
    }

    /// Where a part, or the keeper, logs to.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path.join(LOGS).join(format!("{name}.log"))
    }

    /// The machine's process, known when the machine has been started.
    pub(super) fn machine_pid(&self) -> PathBuf {
        self.path.join("machine.pid")
    }

    /// The file that is there when the machine's paths and mounts are.
    pub(super) fn booted(&self) -> PathBuf {
        self.path.join("booted")
    }
}

/// Makes a chosen folder the node's, unless it holds something else.
fn own(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    let path = path.canonicalize()?;
    let mut entries = std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_empty = entries.next().is_none();
    anyhow::ensure!(
        is_empty || path.join(MARKER).exists(),
        "{} is not a node's directory, and not empty: choose another, as a node removes what it finds in its own",
        path.display()
    );
    std::fs::write(path.join(MARKER), "").with_context(|| format!("cannot write to {}", path.display()))?;
    Ok(path)
}

/// Removes what an earlier node left.
fn clear(path: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())
        } else {
            std::fs::remove_file(entry.path())
        };
        removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
    }
    Ok(())
}
