//! The operator's life: wait for what it needs, wait for the lease, look after the resources, stop.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use kube::client::{Body, ClientBuilder};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequestLayer;

use crate::build::{Kind, MANAGER};
use crate::http::{self, Health};
use crate::lease::{Lease, LeaseError, LeaseSettings};
use crate::log::described;
use crate::metrics::Metrics;
use crate::plan::Defaults;
use crate::scope::Scope;
use crate::settings::Settings;
use crate::watch::{kinds, missing};

/// How often it is looked whether the CRDs have come.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// For the passes that are under way when the process is told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Our own resource, as a kind that must be there.
static OURS: Kind = Kind {
    group: "tributary.dev",
    version: "v1alpha1",
    kind: "CdcReplication",
    plural: "cdcreplications",
    optional: false,
    keep: true,
};

/// Why the operator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// Another one may be at work.
    LeaseLost,
    /// A loop has ended that should not.
    Broken,
}

/// Why the operator could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is neither a cluster around us nor a kubeconfig.
    #[error("cannot find the API server: run in a pod, or set KUBECONFIG")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration makes no client.
    #[error("cannot make a client for the API server")]
    Client(#[source] Box<kube::Error>),
    /// The port is taken.
    #[error(transparent)]
    Listen(#[from] http::ListenError),
    /// No lease.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Signals cannot be waited for.
    #[error("cannot wait for SIGTERM")]
    Signals(#[source] std::io::Error),
}

/// Runs until SIGTERM, or until the lease is lost.
pub async fn run(settings: Settings) -> Result<Ended, RunError> {
    let stop = stop_on_signal().map_err(RunError::Signals)?;
    let metrics = Arc::new(Metrics::default());
    let health = Arc::new(Health::new(metrics.clone()));
    let listener = http::listen((Ipv4Addr::UNSPECIFIED, settings.http_port).into()).await?;
    tokio::spawn(http::serve(listener, health.clone()));
    let beating = health.clone();
    tokio::spawn(async move { beating.keep_beating().await });

    let config = Config::infer().await.map_err(|error| RunError::Config(Box::new(error)))?;
    let namespace = settings.pod_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = counted(config.clone(), &metrics).map_err(|error| RunError::Client(Box::new(error)))?;
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: settings.pod_name.clone() };
    let recorder = Recorder::new(client.clone(), reporter);
    if !all_kinds(&client, &health, &stop).await {
        return Ok(Ended::Stopped);
    }
    let identity = settings.identity();
    let lease = LeaseSettings { name: settings.lease_name.clone(), namespace, identity };
    let lease = Lease::open(config, lease).await?;
    if !lease.acquired_unless(&stop).await {
        return Ok(Ended::Stopped);
    }
    metrics.leading(true);
    let ended = lead(&settings, &client, &metrics, &recorder, &lease, &stop).await;
    if ended != Ended::LeaseLost {
        lease.release().await;
    }
    Ok(ended)
}

/// Looks after the resources while the lease is ours.
async fn lead(
    settings: &Settings,
    client: &Client,
    metrics: &Arc<Metrics>,
    recorder: &Recorder,
    lease: &Lease,
    stop: &CancellationToken,
) -> Ended {
    let defaults = Defaults {
        replicator_image: settings.replicator_image.clone(),
        connect_image: settings.connect_image(),
        kafka_version: settings.kafka_version.clone(),
        pod_monitors: false,
    };
    let namespaces = settings.namespaces();
    tracing::info!(
        namespaces = if namespaces.is_empty() { "all".to_owned() } else { namespaces.join(",") },
        "watching"
    );
    let scopes: Vec<Option<String>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let mut work = JoinSet::new();
    for namespace in scopes {
        let (metrics, recorder) = (metrics.clone(), recorder.clone());
        let scope = Scope { client: client.clone(), namespace, defaults: defaults.clone(), metrics, recorder };
        work.spawn(scope.run(stop.clone()));
    }
    tokio::select! {
        () = lease.lost() => return Ended::LeaseLost,
        () = stop.cancelled() => tracing::info!("stopping: no new passes, and the running ones end"),
        // A loop ends by itself only by a panic, and then its resources are looked after by nobody.
        ended = work.join_next() => {
            tracing::error!(?ended, "a loop has ended");
            return Ended::Broken;
        }
    }
    // The lease is still renewed while the last passes end.
    tokio::select! {
        () = lease.lost() => Ended::LeaseLost,
        result = tokio::time::timeout(GRACE, work.join_all()) => {
            if result.is_err() {
                tracing::warn!(seconds = GRACE.as_secs(), "passes did not end in time and are abandoned");
            }
            Ended::Stopped
        }
    }
}

/// A client whose requests are counted.
fn counted(config: Config, metrics: &Arc<Metrics>) -> Result<Client, kube::Error> {
    let metrics = metrics.clone();
    let count = MapRequestLayer::new(move |request: ::http::Request<Body>| {
        metrics.request(&request);
        request
    });
    Ok(ClientBuilder::try_from(config)?.with_layer(&count).build())
}

/// Waits until our kind and Strimzi's are served, and says which are missing until then. False when told to stop.
async fn all_kinds(client: &Client, health: &Health, stop: &CancellationToken) -> bool {
    let needed: Vec<&Kind> = std::iter::once(&OURS).chain(kinds().filter(|kind| !kind.optional)).collect();
    let mut said = Vec::new();
    loop {
        let waits_for: Vec<String> = match missing(client, needed.iter().copied()).await {
            Ok(missing) => {
                health.started();
                missing.into_iter().map(|crd| format!("the CRD {crd}: {}", advice(&crd))).collect()
            }
            Err(error) => vec![format!("the API server: {}", described(&error))],
        };
        health.waits_for(waits_for.clone());
        if waits_for.is_empty() {
            return true;
        }
        if waits_for != said {
            tracing::warn!(waiting_for = waits_for.join("; "), "not ready yet");
            said = waits_for;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => return false,
        }
    }
}

fn advice(crd: &str) -> &'static str {
    if crd.contains("strimzi.io") { "install Strimzi 0.49 or later" } else { "install it with Tributary's chart" }
}

/// Cancelled by SIGTERM and SIGINT.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(token)
}
