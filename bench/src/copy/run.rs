//! One copy, by the real replicator, from applying to equal.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tributary_e2e::compare::{TablePair, wait_until_equal};
use tributary_e2e::pipeline::{Phase, Pipeline};
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER};
use tributary_operator::build::connector::{ConnectorSecrets, connector_config};

use super::cpu::{Cpu, REPLICATOR};
use super::log;
use super::shop::{Shop, TABLE};
use crate::process::Replicator;

/// How often the status is looked at; that takes from the same cores.
const GLANCE: Duration = Duration::from_millis(200);
/// The longest that a copy may take.
const PATIENCE: Duration = Duration::from_mins(30);
/// The longest that the comparison may take.
const COMPARISON: Duration = Duration::from_mins(10);

/// How the rows get into the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// The replicator reads them.
    Copy {
        /// `replicator.copy.connections`
        connections: u32,
    },
    /// Debezium does, with `snapshot.mode=initial`, and the replicator reads Kafka.
    Snapshot,
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    /// `replicator.copy.connections`
    pub(super) connections: u32,
    /// From the publication and the connector to a table that is equal, in seconds.
    pub(super) from_applying_s: f64,
    /// From the start of the replicator on.
    pub(super) from_start_s: f64,
    /// While rows came, by the times of the commits.
    pub(super) copying_rows_per_s: Option<f64>,
    /// CPU seconds from the start of the replicator on, by who used them.
    pub(super) cpu_s: BTreeMap<&'static str, f64>,
    /// The most memory of the replicator, in MiB.
    pub(super) peak_mib: f64,
}

/// Runs, and verifies the table row by row with the independent reader.
pub(super) async fn run(shop: &Shop, program: &Path, way: Way) -> anyhow::Result<Measured> {
    let connections = match way {
        Way::Copy { connections } => connections,
        Way::Snapshot => 0,
    };
    eprintln!("{way:?} by {}…", program.display());
    let pipeline = shop.pipeline(connections).await?;
    pipeline.write_document()?;
    let applied = Instant::now();
    connect(&pipeline, way).await?;
    let started = Instant::now();
    let mut replicator = Replicator::start(program, pipeline.folder())?;
    let before = Cpu::now(&shop.stack, replicator.id())?;
    until_copied(&pipeline, &mut replicator, u64::from(shop.rows), way).await?;
    let (from_applying_s, from_start_s) = (applied.elapsed().as_secs_f64(), started.elapsed().as_secs_f64());
    let mut cpu_s = Cpu::now(&shop.stack, replicator.id())?.since(&before);
    let usage = replicator.usage()?;
    cpu_s.insert(REPLICATOR, usage.cpu_s);
    replicator.stop()?;
    shop.stack.delete_connector(pipeline.name()).await?;
    let pair = TablePair::new(TABLE, pipeline.location(TABLE)?);
    wait_until_equal(shop.database.source(), &shop.oracle, &[pair], COMPARISON).await?;
    let copying_rows_per_s = log::rows_per_s(&pipeline.delta_log(TABLE).await?);
    let peak_mib = usage.peak_bytes as f64 / f64::from(1 << 20);
    Ok(Measured { connections, from_applying_s, from_start_s, copying_rows_per_s, cpu_s, peak_mib })
}

/// Publishes the table and registers the connector, as our operator would but for the snapshot.
async fn connect(pipeline: &Pipeline, way: Way) -> anyhow::Result<()> {
    pipeline.publish().await?;
    let (username, password) = (POSTGRES_USER.to_owned(), POSTGRES_PASSWORD.to_owned());
    let secrets = ConnectorSecrets { username, password, registry: None };
    let mut config = connector_config(&pipeline.resource()?, &secrets, Some(1))?;
    if let Way::Snapshot = way {
        config.insert("snapshot.mode".to_owned(), "initial".to_owned());
        // Without it the snapshot has all tables of the database.
        config.insert("table.include.list".to_owned(), TABLE.to_owned());
    }
    pipeline.stack().register_connector(pipeline.name(), &config).await
}

/// Waits until the status says that all rows are there, and those of our copy followed.
async fn until_copied(pipeline: &Pipeline, replicator: &mut Replicator, rows: u64, way: Way) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // It does not answer from its first moment on.
        if let Ok(table) = pipeline.table(TABLE).await {
            let is_followed = table.phase == Phase::Streaming || matches!(way, Way::Snapshot);
            if table.rows == Some(rows) && is_followed {
                return Ok(());
            }
            let says = table.message.unwrap_or_default();
            anyhow::ensure!(table.phase != Phase::Stopped, "{TABLE} has stopped: {says}");
        }
        replicator.check()?;
        anyhow::ensure!(
            Instant::now() < deadline,
            "not copied in {PATIENCE:?}; the replicator has {}",
            replicator.log_end()
        );
        tokio::time::sleep(GLANCE).await;
    }
}
