//! The topics of the resource's own cluster: its tables', Kafka Connect's, and those of ticks and heartbeats.

use serde_json::{Value, json};
use tributary_crds::topic;

use super::{Component, connector::LARGEST_MESSAGE, of_cluster};
use crate::plan::{Plan, digest};
use crate::strimzi::{Config, Resource, topic::KafkaTopicSpec};

/// A week, in milliseconds. Whoever has to mend a table that stopped has that long; and no disk fills up for ever.
pub(super) const WEEK: i64 = 7 * DAY;
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Longest readable part of an object's name; a hash follows, and both fit into a label.
const MAX_SLUG: usize = 54;

pub(super) fn topics(plan: &Plan) -> Vec<Resource<KafkaTopicSpec>> {
    let Some(kafka) = &plan.kafka else { return Vec::new() };
    let resource = &plan.resource;
    let topic = |name: String, config: Config| {
        let metadata = of_cluster(Component::Kafka.kept(plan, object_name(&name)), &plan.name);
        // One partition: the offset is then a total order. (A topic can get more partitions later, but never fewer.)
        Resource::new(metadata, KafkaTopicSpec { topic_name: name, partitions: 1, replicas: kafka.replication, config })
    };
    // While nobody reads, nothing must expire.
    let changes = if plan.is_suspended() { -1 } else { WEEK };
    let tables = resource.spec.tables.iter().map(|table| topic(topic::data(resource, table), kept_for(changes)));
    // Of a tick only the newest is of interest, of a heartbeat none.
    let signs = [topic::ticks(resource), topic::heartbeat(resource)].map(|name| topic(name, kept_for(DAY)));
    let own_connect = plan.connect.own.iter().flat_map(|_| topic::connect(resource));
    tables.chain(signs).chain(own_connect.map(|name| topic(name, compacted()))).collect()
}

/// Records go after a time, whatever their number. Never compacted: a change may hold values of a row that no later
/// change of it repeats. Everything is said, so that no default of the brokers can shorten it.
fn kept_for(milliseconds: i64) -> Config {
    config([
        ("cleanup.policy", json!("delete")),
        ("retention.ms", json!(milliseconds)),
        ("retention.bytes", json!(-1)),
        // Stored as the connector compressed it.
        ("compression.type", json!("producer")),
        ("max.message.bytes", json!(LARGEST_MESSAGE)),
    ])
}

/// Kafka Connect reads these from the beginning, and needs the last record of each key for ever.
fn compacted() -> Config {
    config([("cleanup.policy", json!("compact"))])
}

fn config<const N: usize>(settings: [(&str, Value); N]) -> Config {
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A topic's name holds upper case and `_`, an object's does not; the hash keeps two apart that look the same.
fn object_name(topic: &str) -> String {
    let readable = topic.to_ascii_lowercase().replace('_', "-");
    let mut slug = String::with_capacity(readable.len());
    for c in readable.trim_start_matches(['-', '.']).chars().take(MAX_SLUG) {
        // Two dots or a dot beside a dash are no name.
        if c.is_ascii_alphanumeric() || !slug.ends_with(['-', '.']) {
            slug.push(c);
        }
    }
    format!("{}-{}", slug.trim_end_matches(['-', '.']), &digest(topic)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_after_its_topic_and_no_two_are_named_alike() {
        let names = [
            "sales.shop.public.users",
            "sales.shop.public.Users",
            "sales.shop.public.__",
            "sales.shop.public.-_",
            "__debezium-heartbeat.sales.shop",
        ]
        .map(object_name);
        assert!(names[0].starts_with("sales.shop.public.users-"), "{names:?}");
        assert!(names[4].starts_with("debezium-heartbeat.sales.shop-"), "{names:?}");
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
            for label in name.split('.') {
                let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
                assert!(edge(label.chars().next()) && edge(label.chars().next_back()), "{name}");
            }
        }
    }

    #[test]
    fn the_longest_topic_has_an_object() {
        assert!(object_name(&"t".repeat(249)).len() <= 63);
    }
}
