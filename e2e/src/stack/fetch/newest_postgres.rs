//! The newest `PostgreSQL`, for what the machine's own may be too old for: the server and initdb, no other programs.

use std::path::{Path, PathBuf};

use super::{maven, mortal, run};

const POM: &str = include_str!("postgres.pom.xml");

/// The folder of its programs. Blocks.
pub(super) fn bin() -> anyhow::Result<PathBuf> {
    let pom = pom();
    let set = maven::download("postgres", TITLE, &pom).get(|set| {
        maven::fill(set, &pom)?;
        unpack(set)
    })?;
    Ok(set.join("bin"))
}

/// Whether it need not be downloaded any more.
pub(super) fn is_there() -> anyhow::Result<bool> {
    maven::download("postgres", TITLE, &pom()).is_there()
}

const TITLE: &str = "PostgreSQL 18.6 (15 MB)";

fn pom() -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64v8" } else { "amd64" };
    POM.replace("ARCHITECTURE", architecture)
}

/// The jar has one archive, by the name of the machine's architecture.
fn unpack(set: &Path) -> anyhow::Result<()> {
    let mut tar = mortal("python3");
    tar.args(["-c", "import glob, tarfile; tarfile.open(glob.glob('postgres-linux-*.txz')[0]).extractall()"]);
    run(tar.current_dir(set), "it unpacks PostgreSQL")
}
