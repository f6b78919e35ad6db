//! The configuration of the Debezium Postgres connector: the same for a cluster and for a run on one machine.
//!
//! Names and meanings are those of Debezium 3.7.0.Final.

mod converters;
mod resource;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tributary_crds::{CdcReplication, Format, Postgres, SslMode, topic, unavailable};
use tributary_sources::postgres;

pub(crate) use resource::{PROVIDER, cluster_config};
pub(super) use resource::{placeholder, resource};

/// What the connector is told to use in place of the resource's Secrets: literal values on one machine, and
/// `${secrets:…}` placeholders, which Kafka Connect resolves, in a cluster.
#[derive(Clone)]
pub struct ConnectorSecrets {
    /// The database user.
    pub username: String,
    /// The database user's password.
    pub password: String,
    /// User and password of the registry, if it asks for them.
    pub registry: Option<RegistryLogin>,
}

/// User and password of an Avro registry (HTTP basic authentication).
#[derive(Clone)]
pub struct RegistryLogin {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The resource does not say enough for a connector.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConnectorError {
    /// No database.
    #[error("spec.source names no database: set spec.source.postgres")]
    NoSource,
    /// An address from which Apicurio's own cannot be derived.
    #[error(
        "spec.format.avro.registryUrl does not end in /apis/ccompat/v7, and spec.format.avro.converter is Apicurio"
    )]
    NotApicurio,
}

/// How often the connector writes a tick into the source's log. Where it comes out again, everything before it has: that is
/// how far the connector is, of a quiet database too. And its slot goes on, for which the server would keep the log else.
const TICKS: std::time::Duration = std::time::Duration::from_secs(5);

/// The connector's configuration, complete, for `PUT /connectors/<name>/config` or a `KafkaConnector`'s `spec.config`.
///
/// `replication_factor` is that of the topics; `None` is the brokers' default.
pub fn connector_config(
    resource: &CdcReplication,
    secrets: &ConnectorSecrets,
    replication_factor: Option<u16>,
) -> Result<BTreeMap<String, String>, ConnectorError> {
    let postgres = resource.spec.source.postgres.as_ref().ok_or(ConnectorError::NoSource)?;
    let mut config = BTreeMap::new();
    let mut set = |pairs: &[(&str, &str)]| {
        config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    };
    set(&source(resource, postgres, secrets).each_ref().map(|(key, value)| (*key, value.as_str())));
    set(&EVENTS);
    set(&stand_in(&unavailable::placeholder(resource)));
    set(&SAFETY);
    set(&TOPICS);
    // The brokers' own default is -1.
    let replication_factor = replication_factor.map_or_else(|| "-1".to_owned(), |factor| factor.to_string());
    set(&[("topic.creation.default.replication.factor", &replication_factor)]);
    match &resource.spec.format {
        Format { avro: Some(avro), .. } => config.extend(converters::avro(avro, secrets.registry.as_ref())?),
        _ => config.extend(converters::json()),
    }
    Ok(config)
}

/// Which database, through which publication, and under which names. Which tables is the publication's to say: one more is
/// one that it sends more of, and nothing starts again.
fn source(resource: &CdcReplication, postgres: &Postgres, secrets: &ConnectorSecrets) -> [(&'static str, String); 19] {
    let text = str::to_owned;
    [
        ("connector.class", text("io.debezium.connector.postgresql.PostgresConnector")),
        // One slot is read by one task; there is nothing to share.
        ("tasks.max", text("1")),
        ("database.hostname", postgres.host.clone()),
        ("database.port", postgres.port.to_string()),
        ("database.dbname", postgres.database.clone()),
        ("database.user", secrets.username.clone()),
        ("database.password", secrets.password.clone()),
        ("database.sslmode", text(ssl_mode(postgres.ssl_mode))),
        // Comes with every Postgres since 10.
        ("plugin.name", text("pgoutput")),
        ("slot.name", postgres::slot(resource)),
        ("publication.name", postgres::publication(resource)),
        // Partitions change under the name of their table, which is the one that is listed.
        ("publish.via.partition.root", text("true")),
        // The operator keeps it, or whoever keeps the database.
        ("publication.autocreate.mode", text("disabled")),
        // On standbys too, so that the slot outlives a failover. Servers before 17 cannot, and the connector does not ask them to.
        ("slot.failover", text("true")),
        ("topic.prefix", topic::prefix(resource)),
        ("heartbeat.interval.ms", TICKS.as_millis().to_string()),
        ("heartbeat.action.query", text(postgres::TICK)),
        // What applications write into the log is theirs.
        ("message.prefix.include.list", text(postgres::TICK_PREFIX)),
        // The replicator reads the rows that a table already has.
        ("snapshot.mode", text("no_data")),
    ]
}

const fn ssl_mode(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
    }
}

/// Bytes of the largest message: a row of about 10 MB as JSON, of nearly 16 as Avro.
pub(super) const LARGEST_MESSAGE: &str = "16777216";

/// What an event looks like.
const EVENTS: [(&str, &str); 8] = [
    // The default skips truncates, and the Delta table would keep the rows.
    ("skipped.operations", "none"),
    // A tombstone says nothing that the delete did not; but a topic that somebody compacts needs it.
    ("tombstones.on.delete", "true"),
    // `double` rounds, and `string` loses the scale.
    ("decimal.handling.mode", "precise"),
    // The default counts microseconds, with months of 30.4 days.
    ("interval.handling.mode", "string"),
    // With base64 or hex, an unchanged TOASTed bytea arrives as null, not as the placeholder.
    ("binary.handling.mode", "bytes"),
    // 174 bytes a message that nobody reads.
    ("extended.headers.enabled", "false"),
    // Every event carries its transaction's id and position already; the extra topic would need a writer of its own.
    ("provide.transaction.metadata", "false"),
    // Microseconds where the column has them, and one known unit for each type.
    ("time.precision.mode", "adaptive"),
];

/// The stand-in for values that did not change and are not in the log, and a header that tells it to whoever reads the message,
/// also when the topic outlives the resource.
const fn stand_in(placeholder: &str) -> [(&str, &str); 5] {
    [
        ("unavailable.value.placeholder", placeholder),
        ("transforms", "placeholder"),
        ("transforms.placeholder.type", "org.apache.kafka.connect.transforms.InsertHeader"),
        ("transforms.placeholder.header", unavailable::HEADER),
        ("transforms.placeholder.value.literal", placeholder),
    ]
}

/// What happens when something is wrong: stop, rather than go on with less.
const SAFETY: [(&str, &str); 6] = [
    // The default writes null for what it cannot convert (such as numeric NaN), and logs a warning.
    ("event.converting.failure.handling.mode", "fail"),
    // The same for an event as a whole.
    ("event.processing.failure.handling.mode", "fail"),
    // The default starts at the slot when the slot was recreated or moved, and changes are missing silently.
    ("offset.mismatch.strategy", "trust_offset"),
    // A message that cannot be converted or sent fails the task.
    ("errors.tolerance", "none"),
    // The queue is bounded by its number of changes only, and 2,048 big rows are more than the worker's memory.
    ("max.queue.size.in.bytes", "134217728"),
    // The slot outlives the connector's restarts; whoever deletes the resource decides about the slot.
    ("slot.drop.on.stop", "false"),
];

/// The topics that Kafka Connect creates, and how they are written to.
const TOPICS: [(&str, &str); 11] = [
    // How long an event of a quiet table waits: with the default of 500 a change was in its topic after 610 ms (median), with
    // 100 after 210 ms, for 1.4 % more of a core.
    ("poll.interval.ms", "100"),
    // The offset is then a total order of the table's changes: truncates and key changes need no barrier.
    ("topic.creation.default.partitions", "1"),
    // A compacted topic can lose the only event that had a TOASTed value.
    ("topic.creation.default.cleanup.policy", "delete"),
    // A week, whatever the brokers' default: changes must not go before the replicator has read them.
    ("topic.creation.default.retention.ms", "604800000"),
    ("topic.creation.default.retention.bytes", "-1"),
    // Stored as the producer compressed it.
    ("topic.creation.default.compression.type", "producer"),
    // The default of a megabyte stops the connector at the first row that is bigger; so do the brokers and the producer.
    ("topic.creation.default.max.message.bytes", LARGEST_MESSAGE),
    ("producer.override.max.request.size", LARGEST_MESSAGE),
    // JSON with schemas shrinks to about a twentieth.
    ("producer.override.compression.type", "lz4"),
    // Fill batches: what has piled up comes faster than one request at a time.
    ("producer.override.linger.ms", "20"),
    ("producer.override.batch.size", "524288"),
];
