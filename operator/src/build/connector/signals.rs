//! How the connector is told to read a table beside the stream: by signals in a topic of its own.

use std::collections::BTreeMap;

use tributary_crds::{CdcReplication, ExternalKafka, Sasl, SaslMechanism, topic};

use super::{KafkaSecrets, escaped};

/// The settings of signals, with those of the consumer that the connector reads them with: it is not one of Kafka
/// Connect's own, and knows nothing of the worker's connection.
pub(super) fn signals(
    resource: &CdcReplication,
    kafka: &ExternalKafka,
    secrets: &KafkaSecrets,
) -> BTreeMap<String, String> {
    let mut config = BTreeMap::new();
    let mut set = |key: &str, value: &str| config.insert(key.to_owned(), value.to_owned());
    // Not the source: its channel is a table in the user's database, which we would have to create and write.
    set("signal.enabled.channels", "kafka");
    set("signal.kafka.topic", &topic::signal(resource));
    set("signal.kafka.bootstrap.servers", &kafka.bootstrap_servers);
    // The default is one group for all connectors of a cluster.
    set("signal.kafka.groupId", &format!("{}.signal", topic::group(resource)));
    // The default looks every five seconds.
    set("signal.poll.interval.ms", "1000");
    // Marks the windows of an incremental snapshot by transaction numbers, not by writing into a table.
    set("read.only", "true");
    // How a snapshot goes: `signal::SnapshotWatch` reads it.
    set("notification.enabled.channels", "sink");
    set("notification.sink.topic.name", &topic::notifications(resource));
    for (key, value) in connection(kafka, secrets) {
        set(&format!("signal.consumer.{key}"), &value);
    }
    config
}

/// Settings to be added as long as the first copy of an added table is under way.
///
/// Changes of a row can come before the row itself, and leave out the `TOASTed` values that did not change: nobody would
/// have those. The connector then asks the table for them. Not for good: it is a query for each such change.
pub fn reselecting(tables: &[&str]) -> BTreeMap<String, String> {
    if tables.is_empty() {
        return BTreeMap::new();
    }
    let columns: Vec<String> = tables.iter().map(|table| format!("{}:.*", escaped(table))).collect();
    let settings = [
        ("post.processors", "reselector"),
        ("reselector.type", "io.debezium.processors.reselect.ReselectColumnsPostProcessor"),
        ("reselector.reselect.columns.include.list", &columns.join(",")),
        ("reselector.reselect.unavailable.values", "true"),
        ("reselector.reselect.null.values", "false"),
        // The row may have changed its key since; the event's own key finds no other row.
        ("reselector.reselect.use.event.key", "true"),
    ];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// TLS and SASL in the Java client's words.
fn connection(kafka: &ExternalKafka, secrets: &KafkaSecrets) -> Vec<(&'static str, String)> {
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => return Vec::new(),
        (Some(_), None) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (Some(_), Some(_)) => "SASL_SSL",
    };
    let mut settings = vec![("security.protocol", protocol.to_owned())];
    if let Some(ca) = &secrets.ca {
        settings.push(("ssl.truststore.type", "PEM".to_owned()));
        settings.push(("ssl.truststore.certificates", ca.clone()));
    }
    if let Some((certificate, key)) = &secrets.certificate {
        settings.push(("ssl.keystore.type", "PEM".to_owned()));
        settings.push(("ssl.keystore.certificate.chain", certificate.clone()));
        settings.push(("ssl.keystore.key", key.clone()));
    }
    if let (Some(sasl), Some((username, password))) = (&kafka.sasl, &secrets.login) {
        settings.push(("sasl.mechanism", sasl.mechanism.as_str().to_owned()));
        settings.push(("sasl.jaas.config", jaas(sasl, username, password)));
    }
    settings
}

/// Kafka's login configuration. The values are quoted in it, so they hold neither `"` nor `\`.
pub(in crate::build) fn jaas(sasl: &Sasl, username: &str, password: &str) -> String {
    let module = match sasl.mechanism {
        SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => "scram.ScramLoginModule",
        SaslMechanism::Plain => "plain.PlainLoginModule",
    };
    format!("org.apache.kafka.common.security.{module} required username=\"{username}\" password=\"{password}\";")
}
