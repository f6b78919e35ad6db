//! Waits until the parts of a node can do their work.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::certificates::{certificate_path, key_path};
use super::{NODE_NAME, Node};

/// How long each step may take: a busy machine is slow.
const PATIENCE: Duration = Duration::from_mins(2);

/// The API server, asked as the administrator.
pub(super) struct Api {
    client: reqwest::Client,
    url: String,
}

impl Api {
    fn of(node: &Node) -> anyhow::Result<Self> {
        let pki = node.directory.pki();
        let read =
            |path: std::path::PathBuf| std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
        let mut identity = read(certificate_path(&pki, "admin"))?;
        identity.extend(read(key_path(&pki, "admin"))?);
        let authority = reqwest::Certificate::from_pem(&read(certificate_path(&pki, "ca"))?)?;
        let client = reqwest::Client::builder()
            .tls_built_in_root_certs(false)
            .add_root_certificate(authority)
            .identity(reqwest::Identity::from_pem(&identity)?)
            .timeout(Duration::from_secs(5))
            .no_proxy();
        Ok(Self { client: client.build()?, url: format!("https://{}:6443", node.address()) })
    }

    async fn text(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Whether the node reports that it takes pods.
    async fn node_is_ready(&self) -> anyhow::Result<()> {
        let node: Value = serde_json::from_str(&self.text(&format!("/api/v1/nodes/{NODE_NAME}")).await?)?;
        let conditions = node["status"]["conditions"].as_array().context("it has reported nothing yet")?;
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").context("it is not Ready yet")?;
        anyhow::ensure!(ready["status"] == "True", "{}", ready["message"].as_str().unwrap_or("it is not Ready"));
        Ok(())
    }
}

impl Node {
    pub(super) async fn until_api_is_ready(&self) -> anyhow::Result<Api> {
        let api = Api::of(self)?;
        self.until("the API server", async || api.text("/readyz").await.map(drop)).await?;
        Ok(api)
    }

    pub(super) async fn until_pods_can_run(&self, api: &Api) -> anyhow::Result<()> {
        self.until("the node", async || api.node_is_ready().await).await?;
        // Pods are refused until the controller manager has made the service account that they run as.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        self.until("the controller manager", async || api.text(account).await.map(drop)).await?;
        self.until("the name server", async || self.names_are_resolved().await).await
    }

    /// Asks whether everything answers. Takes at most a few seconds.
    pub async fn probe(&self) -> anyhow::Result<()> {
        let api = Api::of(self)?;
        api.text("/readyz").await.context("the API server is not ready")?;
        api.node_is_ready().await.context("the node is not ready")?;
        self.names_are_resolved().await.context("the name server is not ready")
    }

    /// `CoreDNS` says so when it knows all services.
    async fn names_are_resolved(&self) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        client.get(format!("http://{}:8181/ready", self.address())).send().await?.error_for_status()?;
        Ok(())
    }

    pub(super) async fn until(&self, what: &str, check: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = check().await {
            if let Some(ended) = self.ended() {
                anyhow::bail!("{ended}");
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "{what} did not get ready within {} s: {error:#} (the logs are in {})",
                PATIENCE.as_secs(),
                self.directory().join("logs").display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
