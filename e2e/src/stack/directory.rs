//! Where a stack keeps its data, configuration and logs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use super::Part;
use super::fetch::{machine, run};

/// The stack's folder, removed with it when it was chosen by nobody.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Directory {
    pub(super) fn create(chosen: Option<&Path>) -> anyhow::Result<Self> {
        let directory = match chosen {
            Some(path) => Self { path: own(path)?, temporary: None },
            None => Self::temporary()?,
        };
        clear(&directory.path)?;
        remove(&directory.path.join(LOGS))?;
        for folder in folders().chain([LOGS]) {
            std::fs::create_dir_all(directory.path.join(folder))
                .with_context(|| format!("cannot create {folder} in {}", directory.path.display()))?;
        }
        Ok(directory)
    }

    fn temporary() -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        // Other users may enter: run as root, the stack starts PostgreSQL as the user postgres.
        let permissions = std::fs::Permissions::from_mode(0o755);
        let temporary = tempfile::Builder::new().prefix("tributary-stack-").permissions(permissions).tempdir();
        let temporary = temporary.context("cannot create a temporary folder")?;
        Ok(Self { path: temporary.path().canonicalize()?, temporary: Some(temporary) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn part(&self, part: Part) -> PathBuf {
        self.path.join(part.name())
    }

    pub(super) fn log(&self, part: Part) -> PathBuf {
        log_path(&self.path, part)
    }

    /// Where the parts put what they unpack at run time, so that it goes with the stack.
    pub(super) fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

const LOGS: &str = "logs";
/// The file that says that a folder is a stack's, so that what is in it may be removed.
const MARKER: &str = ".tributary-stack";

fn folders() -> impl Iterator<Item = &'static str> {
    ["tmp"].into_iter().chain(Part::ALL.map(Part::name))
}

/// Makes a chosen folder the stack's, unless it holds something else.
fn own(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    let path = path.canonicalize()?;
    let mut entries = std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_empty = entries.next().is_none();
    anyhow::ensure!(
        is_empty || path.join(MARKER).exists(),
        "{} is not a stack's directory, and not empty: choose another, as a stack removes what it finds in its own",
        path.display()
    );
    std::fs::write(path.join(MARKER), "").with_context(|| format!("cannot write to {}", path.display()))?;
    Ok(path)
}

/// Removes what an earlier stack left: S3 and the registry have forgotten everything, so nothing else may remember.
pub(super) fn clear(path: &Path) -> anyhow::Result<()> {
    folders().try_for_each(|folder| remove(&path.join(folder)))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Where a part of the stack in this folder logs to.
pub fn log_path(directory: &Path, part: Part) -> PathBuf {
    directory.join(LOGS).join(format!("{}.log", part.name()))
}

/// The user that `PostgreSQL` runs as when this process runs as root, which `PostgreSQL` refuses.
pub(super) fn postgres_user() -> Option<&'static str> {
    machine::is_root().then_some("postgres")
}

/// Hands a folder to the user that `PostgreSQL` runs as, and makes sure that the user can get there.
pub(super) fn give_to_postgres(folder: &Path) -> anyhow::Result<()> {
    let Some(user) = postgres_user() else { return Ok(()) };
    run(Command::new("chown").args(["-R", user]).arg(folder), "the stack runs PostgreSQL as this user")?;
    let mut enter = Command::new("setpriv");
    enter.args(["--reuid", user, "--regid", user, "--init-groups", "test", "-w"]).arg(folder);
    run(&mut enter, "it checks that the folder can be reached").with_context(|| {
        format!(
            "the user `{user}`, as whom root must run PostgreSQL, cannot reach {}: choose a directory for the stack whose \
             parents everybody may enter",
            folder.display()
        )
    })
}
