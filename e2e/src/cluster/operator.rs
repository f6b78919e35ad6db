//! The operator as it was installed: its pods, and Helm.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use tokio::process::Command;

use super::SYSTEM_NAMESPACE;

/// Name of the Helm release.
pub(super) const RELEASE: &str = "tributary";

/// The operator of a cluster.
pub struct Operator {
    client: Client,
    pods: Api<Pod>,
}

impl Operator {
    /// The one that Helm installed.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), pods: Api::namespaced(client.clone(), SYSTEM_NAMESPACE) }
    }

    fn selector() -> ListParams {
        ListParams::default().labels("app.kubernetes.io/name=tributary,app.kubernetes.io/component=operator")
    }

    /// The names of its pods that are not on their way out.
    pub async fn pods(&self) -> kube::Result<Vec<String>> {
        let pods = self.pods.list(&Self::selector()).await?;
        let stays = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none();
        Ok(pods.iter().filter(stays).map(ResourceExt::name_any).collect())
    }

    /// Kills its pods at once, without a chance to say goodbye.
    pub async fn kill(&self) -> kube::Result<()> {
        for pod in self.pods().await? {
            self.pods.delete(&pod, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await?;
        }
        Ok(())
    }

    /// The metrics of its first pod, through the API server.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let pods = self.pods().await?;
        let pod = pods.first().context("no pod of the operator runs")?;
        let path = format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod}:8080/proxy/metrics");
        Ok(self.client.request_text(http::Request::get(path).body(Vec::new())?).await?)
    }

    /// Runs `helm upgrade` with these extra values (`key=value`) and waits until the new pods are ready.
    pub async fn upgrade(&self, values: &[&str]) -> anyhow::Result<()> {
        let mut arguments = vec!["upgrade", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--reuse-values", "--wait"];
        for value in values {
            arguments.extend(["--set-string", value]);
        }
        helm(&arguments, &[chart().to_string_lossy().as_ref()], &[]).await
    }
}

/// The chart of this repository.
pub(super) fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("charts").join("tributary")
}

/// Runs Helm, the one on PATH, with more variables in its environment. `place` comes right after the release's name.
pub(super) async fn helm(arguments: &[&str], place: &[&str], environment: &[(&str, OsString)]) -> anyhow::Result<()> {
    let (head, tail) = arguments.split_at(2.min(arguments.len()));
    let mut command = Command::new("env");
    // `env` looks the program up in the PATH that it is given.
    command
        .args(["helm"])
        .args(head)
        .args(place)
        .args(tail)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.stdin(Stdio::null()).output().await.context("cannot run helm: is it on PATH?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "helm {} failed: {}", arguments.join(" "), said.trim());
    Ok(())
}
