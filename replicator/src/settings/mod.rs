//! What this process does: the resource, with its secrets read and its names resolved.

mod error;
mod kafka;
mod secrets;
mod shard;
mod source;
mod storage;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tributary_crds::{AvroFormat, CdcReplication, Format, OnSourceChange, Writes, document, topic};
use url::Url;

pub use error::SettingsError;
pub use secrets::Secrets;
pub use shard::{Shard, ShardError};
pub use source::SourceSettings;
pub use storage::Storage;

use crate::{
    consume::KafkaClient,
    decode::RegistryConfig,
    table::{self, Maintenance},
};

/// Everything a run needs to know. Its debug output shows no secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `<namespace>.<name>` of the resource: the prefix of its topics.
    pub prefix: String,
    /// The tables of this process's share.
    pub tables: Vec<TableSettings>,
    /// How Kafka is reached.
    pub kafka: KafkaClient,
    /// The database that rows are copied from.
    pub source: Option<SourceSettings>,
    /// What becomes of a table whose source is not what was copied.
    pub on_source_change: OnSourceChange,
    /// Topic of the connector's ticks.
    pub tick_topic: String,
    /// How messages are written.
    pub format: EventFormat,
    /// Where the Delta tables are, and how that is reached.
    pub storage: Storage,
    /// Longest time between the arrival of a change and its commit.
    pub commit_interval: Duration,
    /// Bytes of one table's buffered messages that bring a commit forward.
    pub commit_size: usize,
    /// Bound of the bytes of all buffered messages.
    pub memory: usize,
    /// How the Delta tables are maintained beside the writing.
    pub maintenance: Maintenance,
    /// Folder of the key indexes on disk, as given on the command line.
    pub index_dir: Option<PathBuf>,
    /// Where `/metrics`, `/healthz`, `/readyz` and `/tables` are served.
    pub http: SocketAddr,
    /// The resource says that nothing is to be replicated now.
    pub suspended: bool,
}

/// One table of this process's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSettings {
    /// The source table, `schema.table`.
    pub name: String,
    /// Topic of its change events.
    pub topic: String,
    /// Root of its Delta table.
    pub url: Url,
    /// Columns that partition the Delta table when it is created.
    pub partition_by: Vec<String>,
    /// Columns by which compaction sorts it.
    pub cluster_by: Vec<String>,
    /// How a row is taken out of a data file.
    pub writes: Writes,
}

/// How messages are written.
#[derive(Clone)]
pub enum EventFormat {
    /// JSON with schemas.
    Json,
    /// Avro in the Confluent wire format, with the registry that has the schemas.
    Avro(RegistryConfig),
}

impl fmt::Debug for EventFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("Json"),
            Self::Avro(registry) => write!(f, "Avro({registry:?})"),
        }
    }
}

/// Reads the resource from a file and checks it, without its secrets.
pub fn read(path: &Path) -> Result<CdcReplication, SettingsError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    document::parse(&text).map_err(|source| SettingsError::Document { path: path.to_owned(), source })
}

/// The address that a resource's replicator serves HTTP on: all interfaces, so that probes of a cluster reach it.
pub fn http_address(resource: &CdcReplication) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], resource.spec.replicator.http_port))
}

/// The bound of the bytes of all buffered messages.
pub fn memory(resource: &CdcReplication) -> usize {
    bytes(resource.spec.replicator.memory.bytes())
}

impl Settings {
    /// Reads the resource from a file, and what it refers to from the directory of secrets.
    pub fn load(path: &Path, secrets: Option<&Path>, shard: Shard) -> Result<Self, SettingsError> {
        Self::resolve(&read(path)?, &Secrets::new(secrets), shard)
    }

    /// Resolves a resource. Of the errors, a missing secret may be cured by waiting ([`SettingsError::is_transient`]).
    pub fn resolve(resource: &CdcReplication, secrets: &Secrets, shard: Shard) -> Result<Self, SettingsError> {
        let spec = &resource.spec;
        let kafka = spec.kafka.external.as_ref().ok_or(SettingsError::NoBrokers)?;
        let storage = Storage::of(&spec.destination, secrets)?;
        let memory = memory(resource);
        let commit_size = spec.replicator.commit_size.as_ref().map_or(memory / 3, |size| bytes(size.bytes()));
        Ok(Self {
            prefix: topic::prefix(resource),
            tables: tables(resource, &storage, shard)?,
            kafka: KafkaClient {
                bootstrap_servers: kafka.bootstrap_servers.clone(),
                options: kafka::options(kafka, secrets)?,
                group_id: topic::group(resource),
            },
            source: SourceSettings::of(resource, secrets)?,
            on_source_change: spec.on_source_change,
            tick_topic: topic::ticks(resource),
            format: format(&spec.format, secrets)?,
            storage,
            commit_interval: spec.replicator.commit_interval.get(),
            commit_size,
            memory,
            maintenance: Maintenance::of(&spec.maintenance),
            index_dir: None,
            http: http_address(resource),
            suspended: spec.suspend,
        })
    }

    /// The same settings with a folder for key indexes, which the resource does not know.
    #[must_use]
    pub fn with_index_dir(self, index_dir: Option<PathBuf>) -> Self {
        Self { index_dir, ..self }
    }

    /// The table of this name.
    pub fn table(&self, name: &str) -> Result<&TableSettings, SettingsError> {
        self.tables.iter().find(|table| table.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
            SettingsError::UnknownTable { name: name.to_owned(), known: known.join(", ") }
        })
    }

    /// How the Delta table of one of the tables is opened.
    pub fn table_spec(&self, table: &TableSettings) -> table::TableSpec {
        table::TableSpec {
            options: self.storage.options.clone(),
            partition_by: table.partition_by.clone(),
            cluster_by: table.cluster_by.clone(),
            writes: table.writes,
            maintenance: self.maintenance.clone(),
            id: None,
            index_dir: self.index_dir.clone(),
            ..table::TableSpec::new(table.url.clone(), table.topic.clone())
        }
    }
}

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn tables(resource: &CdcReplication, storage: &Storage, shard: Shard) -> Result<Vec<TableSettings>, SettingsError> {
    let own = resource.spec.tables.iter().filter(|table| shard.owns(&table.name));
    own.map(|table| {
        Ok(TableSettings {
            name: table.name.clone(),
            topic: topic::data(resource, table),
            url: storage.folder(&table.target())?,
            partition_by: table.partition_by.clone(),
            cluster_by: table.cluster_by.clone(),
            writes: table.writes,
        })
    })
    .collect()
}

fn format(format: &Format, secrets: &Secrets) -> Result<EventFormat, SettingsError> {
    let Some(avro) = &format.avro else { return Ok(EventFormat::Json) };
    registry(avro, secrets).map(EventFormat::Avro)
}

fn registry(format: &AvroFormat, secrets: &Secrets) -> Result<RegistryConfig, SettingsError> {
    let field = "spec.format.avro";
    let url = Url::parse(format.confluent_base())
        .map_err(|source| SettingsError::Url { field: format!("{field}.registryUrl"), source })?;
    let login = |credentials| secrets.login(&format!("{field}.credentials"), credentials);
    let basic_auth = format.credentials.as_ref().map(login).transpose()?;
    let ca = |tls: &tributary_crds::RegistryTls| secrets.ca(&format!("{field}.tls.caSecret"), &tls.ca_secret);
    let ca_pem = format.tls.as_ref().map(ca).transpose()?.map(String::into_bytes);
    Ok(RegistryConfig { url, basic_auth, ca_pem, identity_pem: None })
}
