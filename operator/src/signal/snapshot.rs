//! Asks the connector for the rows that an added table already has.

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::Timeout;
use serde::Serialize;
use tributary_crds::{CdcReplication, topic};

use super::SignalError;
use super::client::{Complaints, Kafka, PATIENCE, patience};

/// A signal, as Debezium reads it from its topic.
#[derive(Serialize)]
struct Signal<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    data: ExecuteSnapshot,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ExecuteSnapshot {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Regular expressions that match all of `schema.table`.
    data_collections: Vec<String>,
}

/// Tells the connector to read these tables (`schema.table`) beside the stream, and returns when the signal is stored.
///
/// The connector must have started with the tables in its configuration: one that does not know a table skips it. `id`
/// is shown in the connector's log. The same signal again is harmless: the rows come once more.
pub async fn execute_snapshot(
    kafka: &Kafka,
    resource: &CdcReplication,
    tables: &[&str],
    id: &str,
) -> Result<(), SignalError> {
    let topic = topic::signal(resource);
    create_topic(kafka, &topic).await?;
    let (producer, complaints): (FutureProducer<Complaints>, _) =
        kafka.client(&[("acks", "all"), ("message.timeout.ms", "15000")])?;
    let (key, value) = (topic::prefix(resource), signal(tables, id));
    let record = FutureRecord::to(&topic).partition(0).key(&key).payload(&value);
    let sent = producer.send(record, Timeout::After(PATIENCE)).await;
    sent.map(drop).map_err(|(error, _)| kafka.failed(&format!("write to the topic {topic}"), error, &complaints))
}

fn signal(tables: &[&str], id: &str) -> String {
    let data_collections = tables.iter().map(|table| crate::build::connector::escaped(table)).collect();
    let data = ExecuteSnapshot { kind: "INCREMENTAL", data_collections };
    serde_json::json!(Signal { id, kind: "execute-snapshot", data }).to_string()
}

/// One partition: the connector reads no other. Signals are few and of no use after a week.
async fn create_topic(kafka: &Kafka, name: &str) -> Result<(), SignalError> {
    let (admin, complaints) = kafka.admin()?;
    // The brokers' own default.
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(-1)).set("cleanup.policy", "delete");
    let doing = format!("create the topic {name}");
    let results = admin.create_topics([&topic], &patience()).await;
    for result in results.map_err(|error| kafka.failed(&doing, error, &complaints))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(SignalError::Refused { doing, code }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_names_its_tables_as_regular_expressions() {
        let expected = r#"{"data":{"data-collections":["public\\.orders","public\\.a\\$b"],"type":"INCREMENTAL"},"id":"7","type":"execute-snapshot"}"#;
        assert_eq!(signal(&["public.orders", "public.a$b"], "7"), expected);
    }
}
