//! Which tables the connector has copied, or copies by itself because it was created with them; and which were added since, so
//! that it must be asked for each of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use tributary_crds::{CdcReplication, topic};

use crate::apply::Live;

/// The tables of the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Those that need no signal any more.
    pub captured: Vec<String>,
    /// Those that were added, and whose rows are not all in their topics.
    pub arriving: Vec<String>,
}

/// Compares the tables of the spec with those that were captured `before` (`None`: there was no connector yet). A table that was
/// removed is forgotten, so that it is copied again when it comes back.
///
/// A connector that is new copies all its tables by itself. It is not new when topics of an earlier resource of the same
/// name were kept: then it goes on where that one ended, and copies nothing.
pub fn capture(resource: &CdcReplication, before: Option<&[String]>, live: &[Live]) -> Capture {
    let kept = kept_topics(resource, live);
    let known = |table: &tributary_crds::TableSpec| match before {
        Some(before) => before.contains(&table.name),
        None if kept.is_empty() => true,
        None => kept.contains(topic::data(resource, table).as_str()),
    };
    let (captured, arriving): (Vec<_>, Vec<_>) = resource.spec.tables.iter().partition(|table| known(table));
    let names = |tables: Vec<&tributary_crds::TableSpec>| tables.into_iter().map(|table| table.name.clone()).collect();
    Capture { captured: names(captured), arriving: names(arriving) }
}

/// Topics that are older than the resource.
fn kept_topics<'a>(resource: &CdcReplication, live: &'a [Live]) -> BTreeSet<&'a str> {
    let Some(created) = resource.metadata.creation_timestamp.as_ref() else { return BTreeSet::new() };
    let topics = live.iter().filter(|live| live.kind.kind == "KafkaTopic");
    let text = |live: &'a Live, pointer: &str| live.object.pointer(pointer).and_then(Value::as_str);
    let is_older = |live: &&'a Live| {
        let time = text(live, "/metadata/creationTimestamp").and_then(|time| time.parse::<Timestamp>().ok());
        time.is_some_and(|time| time < created.0)
    };
    topics.filter(is_older).filter_map(|live| text(live, "/spec/topicName")).collect()
}

/// Whether the connector works with the configuration that was last applied.
pub fn connector_is_current(live: &[Live]) -> bool {
    let Some(connector) = live.iter().find(|live| live.kind.kind == "KafkaConnector") else { return false };
    let number = |pointer: &str| connector.object.pointer(pointer).and_then(Value::as_i64);
    number("/status/observedGeneration").is_some_and(|seen| Some(seen) == number("/metadata/generation"))
        && crate::strimzi::verdict::kafka_connector(&connector.object).state == crate::strimzi::verdict::State::Ready
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::build::KINDS;

    fn resource(tables: &[&str]) -> CdcReplication {
        let tables: Vec<Value> = tables.iter().map(|name| json!({ "name": name })).collect();
        serde_json::from_value(json!({
            "metadata": {"name": "shop", "namespace": "sales", "creationTimestamp": "2026-11-21T12:00:00Z"},
            "spec": {"source": {}, "tables": tables, "kafka": {}, "destination": {"uri": "file:///lake"}}
        }))
        .unwrap()
    }

    fn topic(name: &str, created: &str) -> Live {
        let kind = KINDS.iter().find(|kind| kind.kind == "KafkaTopic").unwrap();
        let object = json!({"metadata": {"creationTimestamp": created}, "spec": {"topicName": name}});
        Live { kind, name: name.to_owned(), object }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_new_connector_copies_all_its_tables_by_itself() {
        let own = [topic("sales.shop.public.a", "2026-11-21T12:00:01Z")];
        let capture = capture(&resource(&["public.a", "public.b"]), None, &own);
        assert_eq!(capture, Capture { captured: names(&["public.a", "public.b"]), arriving: Vec::new() });
    }

    #[test]
    fn an_added_table_is_asked_for_and_a_removed_one_forgotten() {
        let capture = capture(&resource(&["public.b", "public.c"]), Some(&names(&["public.a", "public.b"])), &[]);
        assert_eq!(capture, Capture { captured: names(&["public.b"]), arriving: names(&["public.c"]) });
    }

    #[test]
    fn tables_that_take_the_place_of_all_others_are_asked_for_until_they_are_copied() {
        let resource = resource(&["public.b"]);
        let replaced = capture(&resource, Some(&names(&["public.a"])), &[]);
        assert_eq!(replaced, Capture { captured: Vec::new(), arriving: names(&["public.b"]) });
        assert_eq!(capture(&resource, Some(&replaced.captured), &[]), replaced);
    }

    #[test]
    fn a_connector_that_goes_on_copies_only_what_it_had_before() {
        let kept = [topic("sales.shop.public.a", "2026-11-20T12:00:00Z")];
        let capture = capture(&resource(&["public.a", "public.b"]), None, &kept);
        assert_eq!(capture, Capture { captured: names(&["public.a"]), arriving: names(&["public.b"]) });
    }

    #[test]
    fn a_connector_is_current_when_strimzi_has_seen_it_and_it_runs() {
        let kind = KINDS.iter().find(|kind| kind.kind == "KafkaConnector").unwrap();
        let connector = |generation: i64, task: &str| {
            let conditions = json!([{"type": "Ready", "status": "True"}]);
            let status = json!({"observedGeneration": 2, "conditions": conditions, "tasksMax": 1,
                "connectorStatus": {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": task}]}});
            let object = json!({"kind": "KafkaConnector", "metadata": {"name": "shop", "generation": generation}, "status": status});
            [Live { kind, name: "shop".to_owned(), object }]
        };
        assert!(connector_is_current(&connector(2, "RUNNING")));
        assert!(!connector_is_current(&connector(3, "RUNNING")));
        assert!(!connector_is_current(&connector(2, "UNASSIGNED")));
        assert!(!connector_is_current(&[]));
    }
}
