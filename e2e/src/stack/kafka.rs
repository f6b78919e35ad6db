//! Kafka: broker and controller in one process, with three doors for clients (plain, TLS with SCRAM, mutual TLS).

use std::process::Command;

use super::directory::Directory;
use super::fetch::{Software, run};
use super::process::Program;
use super::tls::TlsFiles;
use super::{Addresses, Part, java};

/// The user of the SCRAM listener.
pub const SCRAM_USER: &str = "tributary";
/// The password of [`SCRAM_USER`].
pub const SCRAM_PASSWORD: &str = "tributary-scram";

/// A cluster needs an id (22 characters of base64); nothing here needs it to be unique.
const CLUSTER_ID: &str = "TributaryStackKafka001";

pub(super) fn program(software: &Software, directory: &Directory) -> anyhow::Result<Program> {
    let mut program = java::program(software, directory, Part::Kafka, "384m");
    program.arguments.extend(java::kafka_arguments(software, &directory.tmp())?);
    program.arguments.extend(["kafka.Kafka".into(), "broker.properties".into()]);
    Ok(program)
}

/// Writes the configuration, and formats the log folder, unless this is a restart. Blocks.
pub(super) fn prepare(
    software: &Software,
    directory: &Directory,
    addresses: &Addresses,
    tls: &TlsFiles,
) -> anyhow::Result<()> {
    let folder = directory.part(Part::Kafka);
    java::write_properties(&folder.join("broker.properties"), &properties(directory, addresses, tls))?;
    if folder.join("data").join("meta.properties").exists() {
        return Ok(());
    }
    let mut format = Command::new(&software.java);
    format.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]).current_dir(&folder);
    format.args(java::kafka_arguments(software, &directory.tmp())?).args(["kafka.tools.StorageTool", "format"]);
    format.args(["-c", "broker.properties", "-t", CLUSTER_ID, "--add-scram"]);
    format.arg(format!("SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"));
    run(&mut format, "it formats Kafka's log folder")
}

fn properties(directory: &Directory, addresses: &Addresses, tls: &TlsFiles) -> Vec<(&'static str, String)> {
    let mut properties = listeners(addresses);
    properties.extend(security(tls));
    properties.push(("log.dirs", directory.part(Part::Kafka).join("data").display().to_string()));
    properties.extend(FIXED.iter().map(|&(name, value)| (name, value.to_owned())));
    properties
}

fn listeners(addresses: &Addresses) -> Vec<(&'static str, String)> {
    let clients = format!(
        "PLAINTEXT://{},SCRAM://{},MTLS://{}",
        addresses.at(addresses.kafka),
        addresses.at(addresses.kafka_scram),
        addresses.at(addresses.kafka_mtls)
    );
    let controller = addresses.at(addresses.kafka_controller);
    vec![
        ("listeners", format!("{clients},CONTROLLER://{controller}")),
        ("advertised.listeners", clients),
        ("controller.quorum.voters", format!("1@{controller}")),
    ]
}

fn security(tls: &TlsFiles) -> Vec<(&'static str, String)> {
    vec![
        ("ssl.keystore.type", "PEM".into()),
        ("ssl.keystore.location", tls.broker_pem.display().to_string()),
        ("ssl.truststore.type", "PEM".into()),
        ("ssl.truststore.location", tls.ca_pem.display().to_string()),
        ("listener.name.mtls.ssl.client.auth", "required".into()),
        ("listener.name.scram.sasl.enabled.mechanisms", "SCRAM-SHA-512".into()),
        (
            "listener.name.scram.scram-sha-512.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;".into(),
        ),
    ]
}

/// One node: every internal topic has one replica and few partitions. The small buffer leaves the small heap to the work.
const FIXED: [(&str, &str); 17] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL,CONTROLLER:PLAINTEXT"),
    ("auto.create.topics.enable", "false"),
    ("default.replication.factor", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("num.network.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
];
