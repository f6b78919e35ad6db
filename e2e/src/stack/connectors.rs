//! Connectors of the stack's Kafka Connect, by its REST API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::Stack;

/// The REST API of a Kafka Connect.
#[derive(Clone, Debug)]
pub struct Connectors {
    url: String,
    http: reqwest::Client,
}

/// What Connect says about a connector.
#[derive(Clone, Debug, Deserialize)]
pub struct ConnectorStatus {
    /// The connector itself.
    pub connector: WorkState,
    /// Its tasks: Debezium's has one.
    pub tasks: Vec<WorkState>,
}

/// The state of a connector or a task.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkState {
    /// RUNNING, FAILED, PAUSED, UNASSIGNED, RESTARTING or STOPPED.
    pub state: String,
    /// The Java exception that made it fail.
    pub trace: Option<String>,
}

impl ConnectorStatus {
    /// Whether the connector and its tasks run.
    pub fn is_running(&self) -> bool {
        !self.tasks.is_empty() && self.all().all(|work| work.state == "RUNNING")
    }

    /// The exception of the first part that failed.
    pub fn failure(&self) -> Option<&str> {
        let failed = self.all().find(|work| work.state == "FAILED")?;
        Some(failed.trace.as_deref().unwrap_or("without a trace"))
    }

    fn all(&self) -> impl Iterator<Item = &WorkState> {
        std::iter::once(&self.connector).chain(&self.tasks)
    }
}

/// How long a connector may take to run: Debezium validates its configuration against the database first.
const PATIENCE: Duration = Duration::from_mins(1);

impl Connectors {
    /// The Connect with this base URL, as in `http://127.0.0.1:8083`.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), http: reqwest::Client::new() }
    }

    /// Creates the connector or changes its configuration, and waits until it runs. An error has what Connect says, or
    /// the exception of the task that failed.
    pub async fn register(&self, name: &str, config: &BTreeMap<String, String>) -> anyhow::Result<()> {
        self.call(Method::PUT, &format!("{name}/config"), Some(config))
            .await
            .with_context(|| format!("Kafka Connect does not take the connector {name}"))?;
        self.until_running(name).await
    }

    /// Waits until the connector and its tasks run.
    pub async fn until_running(&self, name: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status(name).await?;
            if status.as_ref().is_some_and(ConnectorStatus::is_running) {
                return Ok(());
            }
            if let Some(trace) = status.as_ref().and_then(ConnectorStatus::failure) {
                anyhow::bail!("the connector {name} failed:\n{trace}");
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the connector {name} does not run after {PATIENCE:?}: {status:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The connector's state; `None` when Connect does not know it (yet).
    pub async fn status(&self, name: &str) -> anyhow::Result<Option<ConnectorStatus>> {
        let answer = self.http.get(format!("{}/connectors/{name}/status", self.url)).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.json().await?))
    }

    /// Deletes the connector. Its replication slot stays in the database, its offsets in Connect.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        self.call(Method::DELETE, name, None).await.with_context(|| format!("cannot delete the connector {name}"))
    }

    /// Restarts the connector's only task, and waits until all runs.
    pub async fn restart_task(&self, name: &str) -> anyhow::Result<()> {
        self.request_restart(name).await?;
        self.until_running(name).await
    }

    /// The same without waiting.
    pub async fn request_restart(&self, name: &str) -> anyhow::Result<()> {
        self.call(Method::POST, &format!("{name}/restart?includeTasks=true"), None)
            .await
            .with_context(|| format!("cannot restart the connector {name}"))
    }

    /// One request; tried again while the workers agree on who does what, which Connect answers with 409.
    async fn call(&self, method: Method, path: &str, body: Option<&BTreeMap<String, String>>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}/connectors/{path}", self.url));
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let text = answer.text().await?;
            anyhow::ensure!(
                status == StatusCode::CONFLICT && Instant::now() < deadline,
                "{status}: {}",
                message(&text)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The message in Connect's JSON answer, or the whole answer.
fn message(body: &str) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_str(body).map_or_else(|_| body.to_owned(), |answer: Answer| answer.message)
}

impl Stack {
    /// Connect's REST API.
    pub fn connectors(&self) -> Connectors {
        Connectors::at(self.addresses().connect_url())
    }

    /// See [`Connectors::register`].
    pub async fn register_connector(&self, name: &str, config: &BTreeMap<String, String>) -> anyhow::Result<()> {
        self.connectors().register(name, config).await
    }

    /// See [`Connectors::delete`].
    pub async fn delete_connector(&self, name: &str) -> anyhow::Result<()> {
        self.connectors().delete(name).await
    }

    /// See [`Connectors::restart_task`].
    pub async fn restart_connector_task(&self, name: &str) -> anyhow::Result<()> {
        self.connectors().restart_task(name).await
    }
}
