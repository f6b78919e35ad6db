//! Names of the Kafka topics and groups that follow from a resource. Debezium forms the same names from `topic.prefix`
//! (its `SchemaTopicNamingStrategy`).

use kube::ResourceExt;

use crate::{CdcReplication, TableSpec};

/// The namespace of a resource, `default` when a file names none.
pub fn namespace(resource: &CdcReplication) -> String {
    resource.namespace().unwrap_or_else(|| "default".to_owned())
}

/// Debezium's `topic.prefix`: `<namespace>.<name>`.
pub fn prefix(resource: &CdcReplication) -> String {
    format!("{}.{}", namespace(resource), resource.name_any())
}

/// Topic of a table's change events: `<prefix>.<schema>.<table>`, with `_` for what a topic name cannot hold.
pub fn data(resource: &CdcReplication, table: &TableSpec) -> String {
    of_table(resource, &table.name)
}

/// The same for a table that need not be in the resource, by its name `schema.table`.
pub fn of_table(resource: &CdcReplication, name: &str) -> String {
    sanitized(&format!("{}.{name}", prefix(resource)))
}

/// Topic of the connector's heartbeats. Nobody reads it: a connector sends them wherever it is in the source's log.
pub fn heartbeat(resource: &CdcReplication) -> String {
    format!("__debezium-heartbeat.{}", prefix(resource))
}

/// Topic of the connector's ticks: what is written into the source's log as a message comes out here, in order with the rows.
pub fn ticks(resource: &CdcReplication) -> String {
    format!("{}.message", prefix(resource))
}

/// Topics that earlier versions made and nobody writes to any more: they are only removed with the others.
pub fn obsolete(resource: &CdcReplication) -> [String; 2] {
    ["signal", "notifications"].map(|what| format!("{}.{what}", prefix(resource)))
}

/// Topics in which the resource's own Kafka Connect keeps its state: configurations, offsets and statuses.
pub fn connect(resource: &CdcReplication) -> [String; 3] {
    ["configs", "offsets", "status"].map(|what| format!("{}.connect-{what}", prefix(resource)))
}

/// Consumer group under which the replicator commits its offsets; only lag tools read it.
pub fn group(resource: &CdcReplication) -> String {
    format!("tributary.{}", prefix(resource))
}

/// Replaces every character that a Kafka topic cannot have by `_`.
///
/// Debezium works on UTF-16, so a character outside the basic plane becomes two underscores.
pub(crate) fn sanitized(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            result.push(c);
        } else {
            result.extend(std::iter::repeat_n('_', c.len_utf16()));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(namespace: &str) -> CdcReplication {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "shop", "namespace": namespace},
            "spec": {
                "source": {}, "tables": [], "kafka": {}, "destination": {"uri": "file:///tmp"}
            }
        }))
        .unwrap()
    }

    #[test]
    fn names_follow_from_namespace_and_name() {
        let resource = resource("sales");
        assert_eq!(prefix(&resource), "sales.shop");
        assert_eq!(data(&resource, &TableSpec::new("public.users")), "sales.shop.public.users");
        assert_eq!(heartbeat(&resource), "__debezium-heartbeat.sales.shop");
        assert_eq!(ticks(&resource), "sales.shop.message");
        assert_eq!(group(&resource), "tributary.sales.shop");
        assert_eq!(obsolete(&resource), ["sales.shop.signal", "sales.shop.notifications"]);
        assert_eq!(connect(&resource)[0], "sales.shop.connect-configs");
    }

    #[test]
    fn a_file_without_namespace_is_in_default() {
        let mut resource = resource("sales");
        resource.metadata.namespace = None;
        assert_eq!(prefix(&resource), "default.shop");
    }

    #[test]
    fn what_a_topic_cannot_hold_becomes_an_underscore_as_in_debezium() {
        let resource = resource("sales");
        for (table, topic, target) in [
            ("public.Weird Table", "sales.shop.public.Weird_Table", "public/Weird_Table"),
            ("public.größe", "sales.shop.public.gr__e", "public/gr__e"),
            ("public.a😀", "sales.shop.public.a__", "public/a__"),
            ("public.a/b", "sales.shop.public.a_b", "public/a_b"),
        ] {
            let table = TableSpec::new(table);
            assert_eq!(data(&resource, &table), topic);
            assert_eq!(table.target(), target);
        }
    }
}
