//! `replicator run`: every table of this shard in a task of its own, until the process is told to stop.

mod table;
mod ticks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tributary_crds::{CdcReplication, TableSpec};

use self::table::{Shared, Source, decoder};
use crate::consume::{Budget, ConsumeError, Consumer};
use crate::copy::{Allowance, Looks};
use crate::decode::RegistryError;
use crate::report::{Board, ListenError, ResourceName, Restarts, Resyncs, describe, listen, report_to, serve};
use crate::settings::{self, Secrets, Settings, SettingsError, Shard};
use crate::supervise::Supervisor;

/// From the first signal to the end; Kubernetes and the README promise 20 seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(18);
/// How often a Secret that is not there is looked for.
const SECRET_INTERVAL: Duration = Duration::from_secs(2);
/// How often it is logged what was committed.
const SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

/// Why the replicator cannot start, or ends.
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
    /// Nothing is read from Kafka any more.
    #[error(
        "internal error: a thread of the Kafka client has ended, so nothing can be read any more; nothing was lost. Start \
         the process again (Kubernetes does), and report this with the log"
    )]
    KafkaThread,
    /// Nobody watches over the tables any more.
    #[error(
        "internal error: the supervisor of the tables has ended; nothing was lost. Start the process again (Kubernetes \
         does), and report this with the log"
    )]
    Supervisor,
}

/// Replicates the resource in the file `path` until SIGTERM or SIGINT. Tables that fail stop alone and are named in
/// `/tables`, and in the status of the resource `status_of` in Kubernetes. A Secret that is missing is waited for.
pub async fn run(
    path: &Path,
    secrets: &Secrets,
    shard: Shard,
    status_of: Option<ResourceName>,
    index_dir: Option<PathBuf>,
) -> Result<(), RunError> {
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let resource = Arc::new(settings::read(path)?);
    let http = settings::http_address(&resource);
    let budget = Budget::new(settings::memory(&resource));
    let board = Board::new(budget.clone());
    // Before anybody can ask whether we are ready: a table that is not on the board yet would not be missed.
    for table in own_tables(&resource, shard) {
        board
            .table(&table.name, &format!("{}/{}", resource.spec.destination.uri.trim_end_matches('/'), table.target()));
    }
    let (restarts, asked) = Restarts::new(own_tables(&resource, shard).map(|table| table.name.clone()));
    let resyncs = Resyncs::default();
    let stop = CancellationToken::new();
    let listener = listen(http, "replicator.httpPort").await?;
    if let Some(resource) = status_of {
        let wishes = (restarts.clone(), resyncs.clone());
        tokio::spawn(report_to(resource, shard, board.clone(), wishes, stop.clone()));
    }
    let served = tokio::spawn(serve(listener, board.clone(), restarts, stop.clone().cancelled_owned()));
    tokio::spawn(summarise(board.clone()));

    let settings = tokio::select! {
        settings = resolve(&resource, secrets, shard, &board) => settings?.with_index_dir(index_dir),
        () = signals.next() => return Ok(()),
    };
    let consumer = Consumer::start(&settings.kafka, budget.clone())?;
    let source = Source { resource, secrets: secrets.clone(), shard };
    let count = if settings.suspended { 0 } else { settings.tables.len() };
    let supervisor = supervise(source, settings, (&consumer, budget), (&board, resyncs), &stop)?;
    let mut tables = tokio::spawn(supervisor.run(asked));
    info!(tables = count, %http, "replicating");

    let ended_by = tokio::select! {
        () = signals.next() => Ok(()),
        () = consumer.ended() => Err(RunError::KafkaThread),
        // It watches until it is told to stop, so this is a panic of its own.
        _ = &mut tables => Err(RunError::Supervisor),
    };
    info!("stopping: what is buffered is committed; a second signal stops at once");
    stop.cancel();
    let ended = async {
        if !tables.is_finished() {
            let _ = (&mut tables).await;
        }
        consumer.stop().await;
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(STOP_TIMEOUT) => warn!("some tables did not stop in time; their commits are abandoned"),
        () = signals.next() => warn!("stopping at once"),
    }
    served.abort();
    board.summarise();
    ended_by
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
fn supervise(
    source: Source,
    settings: Settings,
    (consumer, budget): (&Consumer, Budget),
    (board, resyncs): (&Board, Resyncs),
    stop: &CancellationToken,
) -> Result<Supervisor, RegistryError> {
    let mut supervisor = Supervisor::new(stop.clone());
    if settings.suspended {
        info!("spec.suspend is true: nothing is replicated");
        return Ok(supervisor);
    }
    // What the registry's client refuses would stop every table.
    decoder(&settings.format)?;
    let ticks = ticks::decoder(&settings.format)?;
    let ticks = ticks::follow(consumer.clone(), settings.tick_topic.clone(), ticks, board.clone());
    let allowance = Arc::new(Allowance::new(settings.source.as_ref(), budget));
    let shared = Shared {
        source,
        settings: Arc::new(settings),
        consumer: consumer.clone(),
        ticks,
        allowance,
        looks: Looks::default(),
        resyncs,
    };
    for table in &shared.settings.tables {
        let report = board.table(&table.name, table.url.as_str());
        supervisor.add(&table.name, report.clone(), shared.clone().start(table.name.clone(), report));
    }
    Ok(supervisor)
}

/// Logs once a minute what was committed.
async fn summarise(board: Board) {
    let mut tick = tokio::time::interval(SUMMARY_INTERVAL);
    loop {
        tick.tick().await;
        board.summarise();
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
