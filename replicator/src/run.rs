//! `replicator run`: every table of this shard in a task of its own, until the process is told to stop.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tributary_crds::{CdcReplication, TableSpec};

use crate::consume::{Budget, ConsumeError, Consumer, Heartbeat};
use crate::decode::{Decoder, RegistryClient, RegistryError};
use crate::pipeline::{CommitLimits, Pipeline};
use crate::report::{Board, ListenError, ResourceName, TableHandle, describe, listen, report_to, serve};
use crate::settings::{self, EventFormat, Secrets, Settings, SettingsError, Shard, TableSettings};

/// From the first signal to the end; Kubernetes and the README promise 20 seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(18);
/// How often a Secret that is not there is looked for.
const SECRET_INTERVAL: Duration = Duration::from_secs(2);
/// How often the ends of the topics are compared with what was applied.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// Why the replicator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The document, or what it refers to, cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The port for HTTP is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The Kafka client refuses its settings.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// The registry's client refuses its settings.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The operating system gives us no signals.
    #[error("cannot listen for SIGTERM and SIGINT")]
    Signals(#[source] std::io::Error),
}

/// Replicates the resource in the file `path` until SIGTERM or SIGINT. Tables that fail stop alone and are named in
/// `/tables`, and in the status of the resource `status_of` in Kubernetes. A Secret that is missing is waited for.
pub async fn run(
    path: &Path,
    secrets: &Secrets,
    shard: Shard,
    status_of: Option<ResourceName>,
) -> Result<(), RunError> {
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let resource = settings::read(path)?;
    let http = settings::http_address(&resource);
    let budget = Budget::new(settings::memory(&resource));
    let board = Board::new(budget.clone());
    // Before anybody can ask whether we are ready: a table that is not on the board yet would not be missed.
    for table in own_tables(&resource, shard) {
        board
            .table(&table.name, &format!("{}/{}", resource.spec.destination.uri.trim_end_matches('/'), table.target()));
    }
    let stop = CancellationToken::new();
    let listener = listen(http, "replicator.httpPort").await?;
    if let Some(resource) = status_of {
        tokio::spawn(report_to(resource, shard, board.clone(), stop.clone()));
    }
    let served = tokio::spawn(serve(listener, board.clone(), stop.clone().cancelled_owned()));

    let settings = tokio::select! {
        settings = resolve(&resource, secrets, shard, &board) => settings?,
        () = signals.next() => return Ok(()),
    };
    let consumer = Consumer::start(&settings.kafka, budget)?;
    let mut tables = start(&settings, &consumer, &board, &stop)?;
    info!(tables = tables.len(), %http, "replicating");

    signals.next().await;
    info!("stopping: running commits may finish; a second signal stops at once");
    stop.cancel();
    let ended = async {
        while tables.join_next().await.is_some() {}
        consumer.stop().await;
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(STOP_TIMEOUT) => warn!("some tables did not stop in time; their commits are abandoned"),
        () = signals.next() => warn!("stopping at once"),
    }
    served.abort();
    Ok(())
}

/// The tables of this shard; none while the resource is suspended.
fn own_tables(resource: &CdcReplication, shard: Shard) -> impl Iterator<Item = &TableSpec> {
    resource.spec.tables.iter().filter(move |table| !resource.spec.suspend && shard.owns(&table.name))
}

/// Reads the Secrets; waits for those that are not there yet.
async fn resolve(
    resource: &CdcReplication,
    secrets: &Secrets,
    shard: Shard,
    board: &Board,
) -> Result<Settings, SettingsError> {
    loop {
        let error = match Settings::resolve(resource, secrets, shard) {
            Err(error) if error.is_transient() => error,
            resolved => return resolved,
        };
        for table in own_tables(resource, shard) {
            board.table(&table.name, &table.target()).waiting(&describe(&error));
        }
        tokio::time::sleep(SECRET_INTERVAL).await;
    }
}

/// Starts every table of this shard. A suspended resource has none.
fn start(
    settings: &Settings,
    consumer: &Consumer,
    board: &Board,
    stop: &CancellationToken,
) -> Result<JoinSet<()>, RunError> {
    let heartbeats = consumer.heartbeats(&settings.heartbeat_topic);
    let mut tables = JoinSet::new();
    if settings.suspended {
        info!("spec.suspend is true: nothing is replicated");
        return Ok(tables);
    }
    for table in &settings.tables {
        let report = board.table(&table.name, table.url.as_str());
        tokio::spawn(watch_lag(consumer.clone(), heartbeats.clone(), table.topic.clone(), report.clone()));
        tables.spawn(pipeline(settings, table, consumer, report, stop)?.run());
    }
    Ok(tables)
}

fn pipeline(
    settings: &Settings,
    table: &TableSettings,
    consumer: &Consumer,
    report: TableHandle,
    stop: &CancellationToken,
) -> Result<Pipeline, RegistryError> {
    let decoder = match &settings.format {
        EventFormat::Json => Decoder::json(),
        EventFormat::Avro(registry) => Decoder::avro(RegistryClient::new(registry.clone())?),
    };
    Ok(Pipeline {
        spec: settings.table_spec(table),
        consumer: consumer.clone(),
        decoder,
        limits: CommitLimits { interval: settings.commit_interval, bytes: settings.commit_size },
        report,
        stop: stop.clone(),
    })
}

/// Tells the table's report, once a second, where its topic ends and how far the connector is.
async fn watch_lag(
    consumer: Consumer,
    heartbeats: watch::Receiver<Option<Heartbeat>>,
    topic: String,
    report: TableHandle,
) {
    let mut tick = tokio::time::interval(LAG_INTERVAL);
    loop {
        tick.tick().await;
        // Taken before the ends, which must not be older than it.
        let heartbeat = *heartbeats.borrow();
        let ends: HashMap<i32, i64> =
            (0..).map_while(|partition| Some((partition, consumer.end_offset(&topic, partition)?))).collect();
        report.ends(ends, Timestamp::now());
        if let Some(heartbeat) = heartbeat {
            report.heartbeat(heartbeat.ts_ms);
        }
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
