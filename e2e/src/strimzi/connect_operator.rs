//! Plays Strimzi's cluster operator for one `KafkaConnect` and its connectors.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::brokers::remove;
use super::configuration::Settings;
use super::connector_operator::{reconcile as reconcile_connector, refuse};
use super::connectors;
use super::context::{self, Context};
use super::kind::Kind;
use super::player::{Dirty, Player};
use super::ports::Ports;
use super::refusal::Refusal;
use super::resource::{Key, Resource, View};
use super::security::{self, SecurityError};
use super::services::{self, Port};
use super::status::{self, ConnectObserved};
use super::worker::{self, Worker};

/// One Connect, from the creation of its resource to its deletion.
pub(super) struct ConnectOperator {
    context: Arc<Context>,
    key: Key,
    worker: Option<Worker>,
    ports: Option<Ports>,
    /// Whether its Kafka has no name yet.
    waits: bool,
}

const KIND: Kind = Kind::KafkaConnect;
const CONNECTORS: Kind = Kind::KafkaConnector;
/// The annotation that makes Strimzi look at `KafkaConnector`s at all.
const USE_RESOURCES: &str = "strimzi.io/use-connector-resources";
/// A worker that ends at once is not started again at once.
const BREATH: Duration = Duration::from_secs(2);

impl ConnectOperator {
    pub(super) fn new(context: Arc<Context>, key: Key) -> Self {
        Self { context, key, worker: None, ports: None, waits: false }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.context.folder(context::CONNECT, &self.key)
    }

    async fn operate(&mut self, connect: &Resource, dirty: &Dirty) -> anyhow::Result<()> {
        if connect.is_paused() {
            return self.write(connect, status::connect_paused(connect)).await;
        }
        let security = security::settings(&self.context, connect, &self.folder()).await;
        let settings = match security {
            Ok(security) => worker::settings(connect, security),
            Err(SecurityError::Refused(refusal)) => Err(refusal),
            Err(SecurityError::Failed(error)) => return Err(error),
        };
        let settings = match settings {
            Ok(settings) => settings,
            Err(refusal) => return self.write(connect, status::connect_failed(connect, None, &refusal)).await,
        };
        if worker::replicas(connect) == 0 {
            return self.rest(connect, dirty).await;
        }
        self.run(connect, &settings, dirty).await
    }

    /// With no worker there is nothing that connectors could run on.
    async fn rest(&mut self, connect: &Resource, dirty: &Dirty) -> anyhow::Result<()> {
        self.stop().await?;
        let (namespace, name) = &self.key;
        let message = format!("Kafka Connect cluster '{name}' in namespace {namespace} has 0 replicas.");
        self.refuse_all(dirty, &Refusal::new("RuntimeException", message)).await?;
        let observed = ConnectObserved { plugins: None, replicas: 0 };
        self.write(connect, status::connect_ready(connect, &observed)).await
    }

    async fn run(&mut self, connect: &Resource, settings: &Settings, dirty: &Dirty) -> anyhow::Result<()> {
        if self.worker.as_ref().is_some_and(|worker| !worker.has(settings)) {
            tracing::info!("{}: the worker is started anew, with other settings", self.title());
            self.stop().await?;
        }
        self.bury()?;
        let Some(plugins) = self.started(connect, settings).await? else {
            return self.late(connect).await;
        };
        let uses_resources = connect.is_annotated(USE_RESOURCES);
        let replicas = worker::replicas(connect);
        let observed = ConnectObserved { plugins: uses_resources.then_some(plugins), replicas };
        let result = if uses_resources { self.connectors(dirty).await? } else { self.ignore(dirty).await? };
        let status = match result {
            Ok(()) => status::connect_ready(connect, &observed),
            Err(refusal) => status::connect_failed(connect, Some(&observed), &refusal),
        };
        self.write(connect, status).await
    }

    /// The plugins of a worker that answers. One is started if there is none.
    async fn started(&mut self, connect: &Resource, settings: &Settings) -> anyhow::Result<Option<Value>> {
        let folder = self.folder();
        let context = Arc::clone(&self.context);
        self.waits = self.worker.is_none() && !worker::finds_kafka(settings, &std::fs::read_to_string(&context.hosts)?);
        if self.waits {
            return Ok(None);
        }
        if self.worker.is_none() {
            std::fs::create_dir_all(&folder)?;
            let ports = self.ports.get_or_insert_with(|| Ports::of(&folder, context.options.bind));
            expose(&context, connect, ports).await?;
            self.worker = Some(Worker::start(&context, connect, &folder, ports, settings).await?);
        }
        let Some(worker) = self.worker.as_mut() else { return Ok(None) };
        Ok(worker.plugins().await)
    }

    /// Lets go of a worker that has ended, to be started again.
    fn bury(&mut self) -> anyhow::Result<()> {
        let Some(worker) = self.worker.as_mut() else { return Ok(()) };
        let was_ready = !worker.wants();
        let server = worker.server();
        let Some(why) = server.ended() else { return Ok(()) };
        if was_ready || server.age() > BREATH {
            self.worker = None;
        }
        anyhow::bail!("the worker has ended: {why}")
    }

    /// Says so when a worker takes too long to answer.
    async fn late(&mut self, connect: &Resource) -> anyhow::Result<()> {
        let patience = self.context.options.operation_timeout;
        if !self.worker.as_ref().is_some_and(|worker| worker.is_late(patience)) {
            return Ok(());
        }
        let (namespace, name) = &self.key;
        let message = format!(
            "Exceeded timeout of {}ms while waiting for Pods resource {name}-connect-0 in namespace {namespace} to be ready",
            patience.as_millis()
        );
        let observed = ConnectObserved { plugins: None, replicas: worker::replicas(connect) };
        let refusal = Refusal::new("StrimziTimeoutException", message);
        self.write(connect, status::connect_failed(connect, Some(&observed), &refusal)).await
    }

    /// Makes the connectors as their resources say; those without a resource are deleted. The inner error is one that is
    /// held against the `KafkaConnect`.
    async fn connectors(&mut self, dirty: &Dirty) -> anyhow::Result<Result<(), Refusal>> {
        let Some(rest) = self.worker.as_ref().map(|worker| worker.rest.clone()) else { return Ok(Ok(())) };
        let members = self.context.resources.of(CONNECTORS, &self.key);
        let named: BTreeSet<String> = members.iter().map(|connector| connector.key().1).collect();
        for name in rest.names().await? {
            if !named.contains(&name) {
                rest.delete(&name).await?;
            }
        }
        let mut wrong = Ok(());
        for connector in &members {
            match connectors::settings(connector) {
                Err(refusal) => wrong = Err(refusal),
                Ok(_) if !dirty.has(CONNECTORS, &connector.key().1) => {}
                Ok(_) if connector.is_paused() => {
                    let status = status::connector_paused(connector);
                    self.context.kubernetes.write_status(CONNECTORS, connector, status).await?;
                }
                Ok(settings) => reconcile_connector(&self.context, &rest, connector, &settings).await?,
            }
        }
        Ok(wrong)
    }

    /// Without the annotation a connector is refused when it changes, and left as it is otherwise.
    async fn ignore(&self, dirty: &Dirty) -> anyhow::Result<Result<(), Refusal>> {
        let name = &self.key.1;
        let message = format!("KafkaConnect {name} is not configured with annotation {USE_RESOURCES}");
        let refusal = Refusal::new("NoSuchResourceException", message);
        for connector in self.context.resources.of(CONNECTORS, &self.key) {
            if dirty.is_named(CONNECTORS, &connector.key().1) || connector.at("/status").is_null() {
                refuse(&self.context, &connector, &refusal).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn refuse_all(&self, dirty: &Dirty, refusal: &Refusal) -> anyhow::Result<()> {
        for connector in self.context.resources.of(CONNECTORS, &self.key) {
            if dirty.has(CONNECTORS, &connector.key().1) && !connector.is_paused() {
                refuse(&self.context, &connector, refusal).await?;
            }
        }
        Ok(())
    }

    async fn gone(&mut self, dirty: &Dirty) -> anyhow::Result<()> {
        if self.worker.is_some() {
            tracing::info!("{} is gone: its worker ends", self.title());
        }
        self.stop().await?;
        self.ports = None;
        remove(&self.folder())?;
        let (namespace, name) = &self.key;
        let message = format!(
            "KafkaConnect resource '{name}' identified by label 'strimzi.io/cluster' does not exist in namespace {namespace}."
        );
        self.refuse_all(dirty, &Refusal::new("NoSuchResourceException", message)).await
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        self.waits = false;
        match self.worker.take() {
            Some(worker) => worker.stop().await,
            None => Ok(()),
        }
    }

    async fn write(&self, connect: &Resource, status: Value) -> anyhow::Result<()> {
        self.context.kubernetes.write_status(KIND, connect, status).await
    }
}

impl Player for ConnectOperator {
    async fn reconcile(&mut self, dirty: &Dirty) -> anyhow::Result<()> {
        let context = Arc::clone(&self.context);
        match context.resources.get(KIND, &self.key) {
            Some(connect) => self.operate(&connect, dirty).await,
            None => self.gone(dirty).await,
        }
    }

    fn wants(&mut self) -> bool {
        self.waits || self.worker.as_mut().is_some_and(Worker::wants)
    }

    fn title(&self) -> String {
        format!("KafkaConnect {}/{}", self.key.0, self.key.1)
    }
}

/// The service account that the worker is, and the Service of its REST API.
async fn expose(context: &Context, connect: &Resource, ports: &mut Ports) -> anyhow::Result<()> {
    let name = connect.key().1;
    let metadata = |object: String| services::metadata(KIND, connect, "kafka-connect", &object);
    let account = metadata(format!("{name}-connect"));
    context.kubernetes.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})).await?;
    let metadata = metadata(format!("{name}-connect-api"));
    let ports = [Port { name: "rest-api".to_owned(), number: 8083, target: ports.address("rest")? }];
    context.kubernetes.apply(services::service(&metadata, &ports)).await?;
    match services::slice(&metadata, 0, &ports) {
        Some(slice) => context.kubernetes.apply(slice).await,
        None => Ok(()),
    }
}
