//! Removes the topics of a resource, and no others.

use std::collections::BTreeSet;

use rdkafka::types::RDKafkaErrorCode;
use tributary_crds::{CdcReplication, topic};

use super::SignalError;
use super::client::{Kafka, PATIENCE, patience};

/// Deletes every topic of the resource that is there, and returns their names. The connector must be gone, or it creates
/// some again.
pub async fn delete_topics(kafka: &Kafka, resource: &CdcReplication) -> Result<Vec<String>, SignalError> {
    let existing = existing(kafka).await?;
    let owned: Vec<String> = owned_topics(resource, existing.iter().map(String::as_str)).map(str::to_owned).collect();
    if owned.is_empty() {
        return Ok(owned);
    }
    let (admin, complaints) = kafka.admin()?;
    let names: Vec<&str> = owned.iter().map(String::as_str).collect();
    let results = admin.delete_topics(&names, &patience()).await;
    for result in results.map_err(|error| kafka.failed("delete topics", error, &complaints))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((name, code)) => {
                return Err(SignalError::Refused { doing: format!("delete the topic {name}"), code });
            }
        }
    }
    Ok(owned)
}

/// The names of all topics of the cluster.
async fn existing(kafka: &Kafka) -> Result<BTreeSet<String>, SignalError> {
    let kafka = kafka.clone();
    let list = move || {
        let (admin, complaints) = kafka.admin()?;
        let metadata = admin.inner().fetch_metadata(None, PATIENCE);
        let metadata = metadata.map_err(|error| kafka.failed("list its topics", error, &complaints))?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    };
    // It cannot be cancelled and does not panic, so there is always an answer.
    tokio::task::spawn_blocking(list).await.unwrap_or_else(|_| Ok(BTreeSet::new()))
}

/// Those of `topics` that belong to the resource: of its tables, also of earlier ones, and of its connector.
///
/// Names may contain dots: of the resources `shop` and `shop.eu`, the topics of both begin with `sales.shop.`; but a
/// table's topic goes on with exactly a schema and a table.
pub fn owned_topics<'a>(
    resource: &CdcReplication,
    topics: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let prefix = format!("{}.", topic::prefix(resource));
    let mut own: BTreeSet<String> = resource.spec.tables.iter().map(|table| topic::data(resource, table)).collect();
    own.extend([topic::signal(resource), topic::notifications(resource), topic::heartbeat(resource)]);
    own.extend(topic::connect(resource));
    topics.filter(move |name| own.contains(*name) || name.strip_prefix(&prefix).is_some_and(is_of_a_table))
}

/// `schema.table`, but not what another resource's connector has beside its tables.
fn is_of_a_table(rest: &str) -> bool {
    let mut parts = rest.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(table), None) => !["signal", "notifications"].contains(&table) && !table.starts_with("connect-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(tables: &[&str]) -> CdcReplication {
        let tables: Vec<_> = tables.iter().map(|name| serde_json::json!({ "name": name })).collect();
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "shop", "namespace": "sales"},
            "spec": {"source": {}, "tables": tables, "kafka": {}, "destination": {"uri": "file:///lake"}}
        }))
        .unwrap()
    }

    #[test]
    fn the_topics_of_a_resource_are_those_of_its_tables_and_of_its_connector() {
        let own = [
            "__debezium-heartbeat.sales.shop",
            "sales.shop.connect-configs",
            "sales.shop.connect-offsets",
            "sales.shop.connect-status",
            "sales.shop.eu.signal",
            "sales.shop.notifications",
            "sales.shop.public.orders",
            "sales.shop.public.removed_earlier",
            "sales.shop.signal",
        ];
        let others = [
            "__consumer_offsets",
            "__debezium-heartbeat.sales.shop.us",
            "sales.shop",
            "sales.shop2.public.orders",
            "sales.shop.us.public.orders",
            "sales.shop.us.signal",
            "sales.shop.us.connect-configs",
            "other.sales.shop.public.orders",
        ];
        let resource = resource(&["public.orders", "eu.signal"]);
        let found: Vec<&str> = owned_topics(&resource, own.into_iter().chain(others)).collect();
        assert_eq!(found, own);
    }
}
