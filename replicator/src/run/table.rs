//! The work of one table, made anew at each start of it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use tributary_crds::{CdcReplication, TableSpec};

use super::ticks::Ticks;
use crate::consume::Consumer;
use crate::copy::{Allowance, CopySource, Looks};
use crate::decode::{Decoder, RegistryClient, RegistryError};
use crate::pipeline::{CommitLimits, Pipeline, PipelineError};
use crate::report::{Resyncs, TableHandle, describe};
use crate::settings::{EventFormat, Secrets, Settings, Shard, TableSettings};
use crate::supervise::{Start, Work};

/// How often the ends of the topics are compared with what was applied.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// Where settings come from, to be read again: credentials may have changed by the time a table is started again.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) resource: Arc<CdcReplication>,
    pub(super) secrets: Secrets,
    pub(super) shard: Shard,
}

/// What all tables share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) source: Source,
    pub(super) settings: Arc<Settings>,
    pub(super) consumer: Consumer,
    /// How far the connector is.
    pub(super) ticks: watch::Receiver<Ticks>,
    /// What first copies may take together.
    pub(super) allowance: Arc<Allowance>,
    /// The session in which tables are looked at.
    pub(super) looks: Looks,
    /// Wishes for copies anew.
    pub(super) resyncs: Resyncs,
}

/// What decodes the messages of a table.
pub(super) fn decoder(format: &EventFormat) -> Result<Decoder, RegistryError> {
    Ok(match format {
        EventFormat::Json => Decoder::json(),
        EventFormat::Avro(registry) => Decoder::avro(RegistryClient::new(registry.clone())?),
    })
}

impl Shared {
    /// Makes the work of the table `name`.
    pub(super) fn start(self, name: String, report: TableHandle) -> Start {
        let mut fresh = true;
        let mut shared = self;
        Box::new(move |stop| {
            if !std::mem::take(&mut fresh) {
                shared.read_settings();
            }
            let Some(table) = shared.settings.tables.iter().find(|table| table.name == name) else {
                return Err(PipelineError::Internal(format!("the settings have no table {name}")));
            };
            shared.work(table, report.clone(), stop)
        })
    }

    fn read_settings(&mut self) {
        let Source { resource, secrets, shard } = &self.source;
        match Settings::resolve(resource, secrets, *shard) {
            Ok(settings) => self.settings = Arc::new(settings.with_index_dir(self.settings.index_dir.clone())),
            Err(error) => warn!("going on with the settings of the last start: {}", describe(&error)),
        }
    }

    fn work(&self, table: &TableSettings, report: TableHandle, stop: CancellationToken) -> Result<Work, PipelineError> {
        let settings = &self.settings;
        let lag = watch_lag(self.consumer.clone(), self.ticks.clone(), table.topic.clone(), report.clone());
        let source = settings.source.as_ref().map(|source| CopySource {
            settings: Arc::new(source.clone()),
            table: TableSpec::new(&table.name),
            allowance: Arc::clone(&self.allowance),
            looks: Arc::clone(&self.looks),
        });
        let pipeline = Pipeline {
            source,
            spec: settings.table_spec(table),
            consumer: self.consumer.clone(),
            limits: CommitLimits { interval: settings.commit_interval, bytes: settings.commit_size },
            until: None,
            on_source_change: settings.on_source_change,
            resyncs: self.resyncs.clone(),
            report,
            stop,
        };
        // What it refuses is known before the table is opened.
        decoder(&settings.format)?;
        let settings = Arc::clone(settings);
        Ok(Box::pin(async move {
            tokio::select! {
                ended = pipeline.run(|| decoder(&settings.format)) => ended,
                never = lag => match never {},
            }
        }))
    }
}

/// Tells the table's report, once a second, where its topic ends and how far the connector is.
async fn watch_lag(
    consumer: Consumer,
    ticks: watch::Receiver<Ticks>,
    topic: String,
    report: TableHandle,
) -> Infallible {
    let mut interval = tokio::time::interval(LAG_INTERVAL);
    loop {
        interval.tick().await;
        // Taken before the ends, which must not be older than it.
        let Ticks { last, absent, unread } = ticks.borrow().clone();
        let ends: HashMap<i32, i64> =
            (0..).map_while(|partition| Some((partition, consumer.end_offset(&topic, partition)?))).collect();
        report.ends(ends);
        report.ticks_unread(unread);
        match last {
            Some(tick) => report.tick(tick),
            None if absent => report.no_ticks(Timestamp::now()),
            None => {}
        }
    }
}
