//! The images of the operator and the replicator, from the binaries that were built with this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::node::{ImageBuild, Node};

/// Where the binaries are.
pub(super) struct Images {
    folder: PathBuf,
}

/// The programs that have an image each, named like them.
const PROGRAMS: [&str; 2] = ["operator", "replicator"];

/// A program that was built with this one.
pub(super) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(path.exists(), "{} is missing: run `make build`", path.display());
    Ok(path)
}

impl Images {
    pub(super) fn beside_this_program() -> anyhow::Result<Self> {
        let folder = program(PROGRAMS[0])?.parent().map(Path::to_owned).context("the program is in no folder")?;
        Ok(Self { folder })
    }

    /// Builds the images and loads them into the node.
    pub(super) async fn load(&self, node: &Node) -> anyhow::Result<()> {
        let context = tempfile::tempdir()?;
        for name in PROGRAMS {
            strip(&self.folder.join(name), &context.path().join(name)).await?;
        }
        for name in PROGRAMS {
            node.build_image(ImageBuild {
                dockerfile: PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("Dockerfile"),
                target: Some(name.to_owned()),
                arguments: vec!["BINARIES=prebuilt".to_owned()],
                context: context.path().to_owned(),
                name: format!("docker.io/tributary/{name}:{}", env!("CARGO_PKG_VERSION")),
            })
            .await?;
            tracing::info!("the image of the {name} is loaded");
        }
        Ok(())
    }
}

/// The line tables of a development build are half of its size.
async fn strip(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("strip");
    command.arg("--strip-debug").arg("-o").arg(to).arg(from);
    let status =
        tokio::process::Command::from(command).status().await.context("cannot run strip (package binutils)")?;
    anyhow::ensure!(status.success(), "strip ended with {status} for {}", from.display());
    Ok(())
}
