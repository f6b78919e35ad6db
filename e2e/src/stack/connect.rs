//! Kafka Connect with Debezium's Postgres connector and the Avro converter.

use super::directory::Directory;
use super::fetch::Software;
use super::process::Program;
use super::{Addresses, Part, java};

pub(super) fn program(software: &Software, directory: &Directory) -> anyhow::Result<Program> {
    let mut program = java::program(software, directory, Part::Connect, "768m");
    program.arguments.extend(java::kafka_arguments(software, &directory.tmp())?);
    program.arguments.push("org.apache.kafka.connect.cli.ConnectDistributed".into());
    program.arguments.push("connect.properties".into());
    Ok(program)
}

/// Writes the worker's configuration.
pub(super) fn prepare(software: &Software, directory: &Directory, addresses: &Addresses) -> anyhow::Result<()> {
    let plugins = [&software.kafka, &software.registry].map(|set| set.join("plugins").display().to_string());
    let mut properties = vec![
        ("bootstrap.servers", addresses.at(addresses.kafka)),
        ("listeners", format!("http://{}", addresses.at(addresses.connect))),
        ("rest.advertised.host.name", addresses.bind.to_string()),
        ("plugin.path", plugins.join(",")),
    ];
    properties.extend(FIXED.iter().map(|&(name, value)| (name, value.to_owned())));
    java::write_properties(&directory.part(Part::Connect).join("connect.properties"), &properties)
}

/// The default plugin discovery reads every class of every jar, which takes 10 s: every plugin here announces itself.
const FIXED: [(&str, &str); 15] = [
    ("plugin.discovery", "service_load"),
    ("group.id", "connect"),
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("config.storage.topic", "connect-configs"),
    ("config.storage.replication.factor", "1"),
    ("offset.storage.topic", "connect-offsets"),
    ("offset.storage.replication.factor", "1"),
    ("offset.storage.partitions", "1"),
    ("status.storage.topic", "connect-status"),
    ("status.storage.replication.factor", "1"),
    ("status.storage.partitions", "1"),
    ("offset.flush.interval.ms", "1000"),
    ("scheduled.rebalance.max.delay.ms", "0"),
    ("connector.client.config.override.policy", "All"),
];
