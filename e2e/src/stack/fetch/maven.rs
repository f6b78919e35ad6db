//! Sets of jars from Maven Central, each described by a small pom.

use std::path::{Path, PathBuf};

use super::cache::{self, Download};
use super::{mortal, run};

/// Downloads what a pom copies or unpacks to `${set}` in its `package` phase, once; returns the folder that was `${set}`.
/// `title` says what it is to the person who waits. Blocks.
pub fn maven_set(name: &str, title: &str, pom: &str) -> anyhow::Result<PathBuf> {
    download(name, title, pom).get(|set| fill(set, pom))
}

pub(super) fn download<'a>(name: &'a str, title: &'a str, pom: &'a str) -> Download<'a> {
    Download { name, title, recipe: pom, tool: "maven" }
}

pub(super) fn fill(set: &Path, pom: &str) -> anyhow::Result<()> {
    let pom_path = set.join("pom.xml");
    std::fs::write(&pom_path, pom)?;
    let mut repository = std::ffi::OsString::from("-Dmaven.repo.local=");
    repository.push(cache::directory()?.join("maven"));
    let mut set_property = std::ffi::OsString::from("-Dset=");
    set_property.push(set);
    let mut maven = mortal("mvn");
    maven.args(["-q", "-B", "-f"]).arg(&pom_path).arg(repository).arg(set_property).arg("package");
    run(&mut maven, "Maven Central must be reachable, directly or through the mirror or proxy in Maven's settings.xml")
}
