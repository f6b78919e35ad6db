//! What is asked of containerd: to take images.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::configuration::PAUSE_IMAGE;
use super::{Node, image};
use crate::stack::run;

impl Node {
    /// `ctr` for the images and containers of Kubernetes.
    fn ctr(&self) -> Command {
        let mut command = self.machine.command("ctr");
        command.arg("--namespace=k8s.io");
        command
    }

    pub(super) async fn until_containerd_is_ready(&self) -> anyhow::Result<()> {
        self.until("containerd", async || {
            let mut ctr = self.ctr();
            ctr.arg("version");
            blocking(move || run(&mut ctr, "containerd is starting")).await
        })
        .await
    }

    /// Loads an archive as `docker save` and `buildah push … docker-archive:` write it: pods can use its images at once.
    pub async fn load_archive(&self, archive: &Path) -> anyhow::Result<()> {
        let file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
        let mut ctr = self.ctr();
        // The archive is handed over open: the machine does not see the host's temporary files.
        ctr.args(["images", "import", "-"]);
        blocking(move || take(ctr, file)).await.with_context(|| format!("cannot load {}", archive.display()))
    }

    pub(super) async fn load_pause_image(&self) -> anyhow::Result<()> {
        let pause = self.bundle.program("pause");
        let archive = self.directory().join("pause.tar");
        let written = archive.clone();
        blocking(move || image::of_one_program(&pause, PAUSE_IMAGE, &written)).await?;
        self.load_archive(&archive).await
    }

    /// Applies a manifest, as `kubectl apply --server-side` does.
    pub async fn apply(&self, manifest: &str) -> anyhow::Result<()> {
        let path = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        std::fs::write(path.path(), manifest)?;
        let mut kubectl = self.kubectl();
        kubectl.args(["apply", "--server-side", "--filename"]).arg(path.path());
        blocking(move || run(&mut kubectl, "the cluster must take this manifest")).await
    }
}

fn take(mut ctr: Command, archive: File) -> anyhow::Result<()> {
    let output = ctr.stdin(Stdio::from(archive)).output().context("cannot run ctr")?;
    let error = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "containerd refused the image: {}", error.trim());
    Ok(())
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
