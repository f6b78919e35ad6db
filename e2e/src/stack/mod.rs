//! The real stack on one machine, without Docker: `PostgreSQL`, Kafka, Kafka Connect with Debezium, a schema registry and
//! S3, as processes on chosen addresses. Tests start private ones, several side by side; `stack up` starts one to keep.

mod addresses;
mod buckets;
mod connect;
mod connectors;
mod control;
mod directory;
mod fetch;
mod gate;
mod java;
mod kafka;
mod options;
mod part;
mod ports;
mod postgres;
mod probe;
mod process;
mod registry;
mod s3;
mod setup;
mod standby;
mod state;
mod tls;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

pub use addresses::Addresses;
pub use connectors::{ConnectorStatus, Connectors, WorkState};
pub use directory::log_path;
pub use fetch::{maven_set, python_environment};
pub use gate::{Gate, GateMode};
pub use kafka::{SCRAM_PASSWORD, SCRAM_USER};
pub use options::{Lifetime, PortChoice, PostgresRelease, StackOptions};
pub use part::Part;
pub use postgres::{POSTGRES_PASSWORD, POSTGRES_USER};
pub use probe::probe;
pub use process::ProcessId;
pub use s3::{S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY};
pub use standby::Standby;
pub use state::{StackState, stop_detached};
pub use tls::TlsFiles;

pub(crate) use fetch::cache::{Download, directory as cache_directory};
pub(crate) use fetch::{Software, machine, run, software};
pub(crate) use java::kafka_arguments;
pub(crate) use ports::{PortClaims, claim_one, free_port};
pub(crate) use process::{Process, Program, log_end};

use directory::Directory;
use setup::Setup;

/// A running stack, which owns its processes: they end when it is dropped, or when the program that holds it dies.
#[derive(Debug)]
pub struct Stack {
    processes: Mutex<BTreeMap<Part, Process>>,
    lifetime: Lifetime,
    _claims: PortClaims,
    setup: Arc<Setup>,
}

impl Stack {
    /// Starts all parts and returns when each of them answers. Downloads and installs what is missing first.
    pub async fn up(options: StackOptions) -> anyhow::Result<Self> {
        options.check()?;
        if let Some(directory) = &options.directory {
            refuse_second_stack(directory)?;
        }
        let mut software = fetch::software(options.parts.clone(), options.postgres).await?;
        let directory = Directory::create(options.directory.as_deref())?;
        if options.postgres == PostgresRelease::Newest {
            postgres::bring_along(&mut software, &directory)?;
        }
        let (addresses, claims) = ports::claim(options.bind, options.ports)?;
        let tls = TlsFiles::in_folder(directory.part(Part::Kafka).join("tls"));
        let postgres_settings = options.postgres_settings;
        let setup = Arc::new(Setup { software, addresses, tls, directory, postgres_settings });
        let stack = Self { processes: Mutex::default(), lifetime: options.lifetime, _claims: claims, setup };
        futures::future::try_join_all(options.parts.iter().map(|&part| stack.start(part))).await?;
        Ok(stack)
    }

    /// Downloads and installs what a stack of these parts needs, and starts nothing.
    pub async fn fetch(parts: BTreeSet<Part>) -> anyhow::Result<()> {
        fetch::software(parts, PostgresRelease::Installed).await.map(drop)
    }

    /// Where the parts listen.
    pub fn addresses(&self) -> &Addresses {
        &self.setup.addresses
    }

    /// Data, configuration and logs.
    pub fn directory(&self) -> &Path {
        self.setup.directory.path()
    }

    /// The certificates of Kafka's TLS listeners: they are there if the stack has Kafka.
    pub fn tls(&self) -> &TlsFiles {
        &self.setup.tls
    }

    /// The process of each part that runs.
    pub fn processes(&self) -> BTreeMap<Part, ProcessId> {
        self.lock().iter().map(|(part, process)| (*part, process.id())).collect()
    }
}

fn refuse_second_stack(directory: &Path) -> anyhow::Result<()> {
    let running = StackState::read(directory)?.filter(StackState::is_alive);
    anyhow::ensure!(
        running.is_none(),
        "a stack is running in {}: `stack status` shows it, `stack down` stops it, --dir starts another beside it",
        directory.display()
    );
    Ok(())
}
