//! Builds images without Docker and without network: a base image made from the host's own packages, and buildah.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::json;

use super::runtime::blocking;
use super::{Node, host_release};
use crate::stack::{Download, cache_directory, machine, run};

/// An image to build.
#[derive(Clone, Debug)]
pub struct ImageBuild {
    /// The Dockerfile. Its `BASE` is an image of the host's release with what the programs need.
    pub dockerfile: PathBuf,
    /// The stage of it to build.
    pub target: Option<String>,
    /// More build arguments, as `NAME=VALUE`.
    pub arguments: Vec<String>,
    /// The folder that the Dockerfile copies from.
    pub context: PathBuf,
    /// The image's full name with registry and tag, as in `docker.io/tributary/operator:0.1.0`.
    pub name: String,
}

impl Node {
    /// Builds an image and loads it, so that pods can use it at once: seconds when only what the context holds has changed.
    pub async fn build_image(&self, build: ImageBuild) -> anyhow::Result<()> {
        let archive = tempfile::Builder::new().prefix("tributary-image-").suffix(".tar").tempfile()?.into_temp_path();
        let path = archive.to_path_buf();
        let what = format!("cannot build the image {}", build.name);
        blocking(move || build.write(&path)).await.context(what)?;
        self.load_archive(&archive).await
    }
}

/// What the base image has beside the release's essential packages: what the project's programs are linked with.
const BASE_PACKAGES: &str = "ca-certificates,libssl3";

impl ImageBuild {
    /// Builds the image and writes it as an archive. Blocks.
    fn write(&self, archive: &Path) -> anyhow::Result<()> {
        let base = base_image()?;
        let mut build = buildah()?;
        build.args(["bud", "--isolation=chroot", "--pull-never", "--quiet", "--tag", &self.name]);
        build.args(["--build-arg", &format!("BASE={base}")]);
        for argument in &self.arguments {
            build.args(["--build-arg", argument]);
        }
        if let Some(target) = &self.target {
            build.args(["--target", target]);
        }
        build.arg("--file").arg(&self.dockerfile).arg(&self.context);
        run(&mut build, "the image is built from the Dockerfile and the files beside it")?;
        // What had the name before has none now, and is as large. Another build may be removing it at the same time.
        let _ = run(buildah()?.args(["rmi", "--prune"]), "nothing depends on it");
        // Buildah does not write over an archive.
        std::fs::remove_file(archive).with_context(|| format!("cannot write {}", archive.display()))?;
        let mut destination = OsString::from("docker-archive:");
        destination.push(archive);
        destination.push(format!(":{}", self.name));
        run(buildah()?.args(["push", "--quiet", &self.name]).arg(destination), "the image is written to an archive")
    }
}

/// The name of the base image, which is made when it is not there. Blocks.
pub(super) fn base_image() -> anyhow::Result<String> {
    machine::require(&[machine::Program::Buildah])?;
    let release = host_release()?;
    let recipe = format!("{release} {BASE_PACKAGES}");
    let base = Download {
        name: "base-image",
        title: "the packages of the base image (about 40 MB)",
        recipe: &recipe,
        tool: "apt",
    };
    let folder = base.get(|folder| bootstrap(folder, &release))?;
    let hash = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("localhost/tributary/{hash}:latest");
    if run(buildah()?.args(["inspect", "--type=image", &name]), "").is_err() {
        let mut build = buildah()?;
        build.args(["bud", "--quiet", "--tag", &name, "--file"]).arg(folder.join("Dockerfile")).arg(&folder);
        run(&mut build, "the base image is made from the packages")?;
    }
    Ok(name)
}

fn bootstrap(folder: &Path, release: &str) -> anyhow::Result<()> {
    machine::require(&[machine::Program::Mmdebstrap])?;
    let mut mmdebstrap = Command::new("setpriv");
    mmdebstrap.args(["--pdeathsig=KILL", "mmdebstrap", "--quiet", "--variant=essential"]);
    mmdebstrap.arg(format!("--include={BASE_PACKAGES}"));
    for documentation in ["doc", "man", "locale", "info"] {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{documentation}/*"));
    }
    mmdebstrap.arg(release).arg(folder.join("base.tar"));
    run(&mut mmdebstrap, "Debian's package archive must be reachable")?;
    Ok(std::fs::write(folder.join("Dockerfile"), "FROM scratch\nADD base.tar /\n")?)
}

/// `buildah` with a store of its own.
fn buildah() -> anyhow::Result<Command> {
    let store = cache_directory()?.join("buildah");
    let mut command = Command::new("buildah");
    command.arg("--root").arg(store.join("images")).arg("--runroot").arg(store.join("run"));
    // Works everywhere, also where the store itself is on an overlay, as in a container.
    command.arg("--storage-driver=vfs");
    Ok(command)
}

/// Writes the archive of an image that holds one static program and runs it. Blocks.
pub(super) fn of_one_program(program: &Path, name: &str, archive: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let file = program.file_name().context("the program has no name")?.to_string_lossy().into_owned();
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .arg("--file")
        .arg(folder.join("layer.tar"))
        .arg("--directory")
        .args(program.parent())
        .arg(&file);
    run(&mut tar, "it packs a layer")?;
    let digest = Command::new("sha256sum").arg(folder.join("layer.tar")).output().context("cannot run sha256sum")?;
    let digest = String::from_utf8_lossy(&digest.stdout);
    let digest = digest.split_ascii_whitespace().next().context("sha256sum printed nothing")?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [format!("/{file}")]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    std::fs::write(folder.join("config.json"), config.to_string())?;
    std::fs::write(folder.join("manifest.json"), manifest.to_string())?;
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(archive).arg("--directory").arg(folder);
    tar.args(["manifest.json", "config.json", "layer.tar"]);
    run(&mut tar, "it packs an image")
}
