//! Removes the topics of a resource, and no others.

use std::collections::BTreeSet;

use rdkafka::types::RDKafkaErrorCode;
use tributary_crds::{CdcReplication, topic};

use super::KafkaError;
use super::client::{Kafka, PATIENCE, patience};

/// Deletes every topic of the resource that is there, and returns their names. The connector must be gone, or it creates
/// some again.
pub async fn delete_topics(kafka: &Kafka, resource: &CdcReplication) -> Result<Vec<String>, KafkaError> {
    let existing = existing(kafka).await?;
    let owned: Vec<String> = owned_topics(resource).intersection(&existing).cloned().collect();
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
                return Err(KafkaError::Refused { doing: format!("delete the topic {name}"), code });
            }
        }
    }
    Ok(owned)
}

/// The names of all topics of the cluster.
async fn existing(kafka: &Kafka) -> Result<BTreeSet<String>, KafkaError> {
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

/// The topics of the resource, whether they are there or not: of its tables, of those that were taken out of it, and of its
/// connector. What others call `namespace.name.x.y` is theirs.
pub fn owned_topics(resource: &CdcReplication) -> BTreeSet<String> {
    let former = resource.status.iter().flat_map(|status| &status.former_tables);
    let tables = resource.spec.tables.iter().map(|table| &table.name).chain(former);
    let mut own: BTreeSet<String> = tables.map(|name| topic::of_table(resource, name)).collect();
    own.extend([topic::ticks(resource), topic::heartbeat(resource)]);
    own.extend(topic::obsolete(resource));
    own.extend(topic::connect(resource));
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topics_of_a_resource_are_those_of_its_tables_and_of_its_connector_and_no_others_under_its_name() {
        let resource: CdcReplication = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "shop", "namespace": "sales"},
            "spec": {
                "source": {}, "tables": [{"name": "public.orders"}, {"name": "eu.signal"}], "kafka": {},
                "destination": {"uri": "file:///lake"},
            },
            "status": {"formerTables": ["public.removed earlier"]},
        }))
        .unwrap();
        let own = [
            "__debezium-heartbeat.sales.shop",
            "sales.shop.connect-configs",
            "sales.shop.connect-offsets",
            "sales.shop.connect-status",
            "sales.shop.eu.signal",
            "sales.shop.message",
            "sales.shop.notifications",
            "sales.shop.public.orders",
            "sales.shop.public.removed_earlier",
            "sales.shop.signal",
        ];
        assert_eq!(owned_topics(&resource).iter().collect::<Vec<_>>(), own);
        assert!(!owned_topics(&resource).contains("sales.shop.orders.enriched"), "somebody made it of our topics");
    }
}
