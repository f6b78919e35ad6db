//! What is said, from what was found.

use serde_json::{Value, json};

use super::*;
use crate::apply::Live;
use crate::build::KINDS;

fn resource(status: &Value) -> CdcReplication {
    serde_json::from_value(json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": {"name": "shop", "namespace": "sales", "generation": 4},
        "spec": {
            "source": {"postgres": {"host": "db", "database": "shop", "credentials": {"secretName": "db"}}},
            "tables": [{"name": "public.users"}, {"name": "public.orders"}],
            "kafka": {"external": {"bootstrapServers": "kafka:9092"}},
            "destination": {"uri": "s3://lake/shop"},
        },
        "status": status,
    }))
    .unwrap()
}

fn tables(users: Value, orders: Value) -> CdcReplication {
    let table = |name: &str, mut rest: Value| {
        rest["name"] = json!(name);
        rest
    };
    resource(&json!({"tables": [table("public.users", users), table("public.orders", orders)]}))
}

fn streaming(lag: i64) -> Value {
    json!({"phase": "Streaming", "lagSeconds": lag})
}

fn good() -> Part {
    Part::good("Works", "it works")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn said_of(
    resource: &CdcReplication,
    parts: &Parts,
    before: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
) -> Said {
    Said::of_parts(before, &ready(resource, parts, None), parts)
}

fn reasons(notices: &[Notice]) -> Vec<(&str, bool)> {
    notices.iter().map(|notice| (notice.reason.as_str(), notice.warning)).collect()
}

#[test]
fn every_condition_is_there_and_speaks_of_the_generation() {
    let resource = resource(&Value::Null);
    let status = status(&resource, &said_of(&resource, &Parts::all(&good()), &[]), &BTreeSet::new(), at(0));
    let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(types, CONDITIONS);
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(4)));
    assert_eq!(status.observed_generation, Some(4));
}

#[test]
fn the_transition_time_moves_only_when_the_status_flips() {
    let resource = resource(&Value::Null);
    let first = said_of(&resource, &Parts::all(&good()), &[]).conditions(Some(4), at(0));
    let other_reason = Parts::all(&Part::good("StillWorks", "it still works"));
    let second = said_of(&resource, &other_reason, &first).conditions(Some(4), at(60));
    assert!(second.iter().all(|condition| condition.last_transition_time.0 == at(0)));
    let third = said_of(&resource, &Parts::all(&Part::bad("Broken", "no")), &second).conditions(Some(4), at(120));
    assert!(third.iter().all(|condition| condition.last_transition_time.0 == at(120)));
}

#[test]
fn a_condition_that_nobody_says_any_more_is_dropped() {
    let resource = resource(&Value::Null);
    let paused = Said::of_pause(&[], &Part::good("Paused", "on request")).conditions(Some(4), at(0));
    assert_eq!(paused[0].type_, "ReconciliationPaused");
    let after = said_of(&resource, &Parts::all(&good()), &paused).conditions(Some(4), at(1));
    assert!(after.iter().all(|condition| condition.type_ != "ReconciliationPaused"));
}

#[test]
fn a_pause_keeps_what_was_said_before() {
    let before = said_of(&resource(&Value::Null), &Parts::all(&good()), &[]).conditions(Some(3), at(0));
    let resource = resource(&json!({"observedGeneration": 3, "conditions": before, "formerTables": ["public.gone"]}));
    let said = Said::of_pause(&before, &Part::good("Paused", "on request"));
    let status = paused(&resource, &said, at(1));
    assert_eq!((status.observed_generation, status.former_tables), (Some(3), vec!["public.gone".to_owned()]));
    assert_eq!(status.conditions.len(), 7);
    assert_eq!(status.conditions[0], before[0]);
}

#[test]
fn the_same_findings_make_the_same_status_and_no_events() {
    let resource = tables(streaming(1), streaming(2));
    let first = status(&resource, &said_of(&resource, &Parts::all(&good()), &[]), &BTreeSet::new(), at(0));
    let said = said_of(&resource, &Parts::all(&good()), &first.conditions);
    let mut live = resource.clone();
    let mut stored: CdcReplicationStatus = serde_json::from_value(serde_json::to_value(&first).unwrap()).unwrap();
    stored.tables = resource.status.unwrap().tables;
    live.status = Some(stored);
    assert!(!differs(&live, &status(&live, &said, &BTreeSet::new(), at(60))));
    assert_eq!(notices(&said), []);
}

#[test]
fn a_table_that_was_taken_out_is_remembered_until_it_comes_back() {
    let former = |reported: &[&str], earlier: &[&str], former: &[&str]| {
        let tables: Vec<Value> = reported.iter().map(|name| json!({"name": name, "phase": "Waiting"})).collect();
        let resource = resource(&json!({"tables": tables, "formerTables": former}));
        let earlier = earlier.iter().map(|name| (*name).to_owned()).collect();
        status(&resource, &said_of(&resource, &Parts::all(&good()), &[]), &earlier, at(0)).former_tables
    };
    let listed = resource(&Value::Null).spec.tables[0].name.clone();
    let remembered = ["public.before", "public.gone", "public.never reported"];
    assert_eq!(
        former(&[&listed, "public.gone"], &[&listed, "public.never reported"], &["public.before", &listed]),
        remembered
    );
    assert_eq!(former(&[&listed], &[], &[]), Vec::<String>::new());
}

#[test]
fn the_tables_are_left_to_the_replicator() {
    let resource = tables(streaming(1), streaming(2));
    let status = status(&resource, &said_of(&resource, &Parts::all(&good()), &[]), &BTreeSet::new(), at(0));
    let applied = applied(&resource, &status);
    assert_eq!(applied["status"].get("tables"), None);
    assert_eq!((&applied["status"]["tablesReady"], &applied["status"]["lagSeconds"]), (&json!("2/2"), &json!(2)));
    assert_eq!((&applied["kind"], &applied["metadata"]["name"]), (&json!("CdcReplication"), &json!("shop")));
}

#[test]
fn the_summary_names_what_needs_somebody_before_what_only_takes_time() {
    let resource = resource(&Value::Null);
    let mut parts = Parts::all(&good());
    parts.source = Part::working("Asking", "asking");
    parts.connector = Part::bad("TaskFailed", "task 0 failed");
    assert_eq!(ready(&resource, &parts, None).reason, "TaskFailed");
    parts.connector = good();
    assert_eq!(ready(&resource, &parts, None).reason, "Asking");
    let problem = Part::bad("Forbidden", "no");
    assert_eq!(ready(&resource, &parts, Some(&problem)).reason, "Forbidden");
}

#[test]
fn a_stopped_table_makes_the_resource_unready_and_one_that_was_removed_does_not() {
    let stopped = json!({"phase": "Stopped", "message": "column a changed its type; recreate it"});
    let resource = tables(stopped.clone(), streaming(0));
    let part = ready(&resource, &Parts::all(&good()), None);
    assert_eq!(part.reason, "TableStopped");
    assert!(part.message.contains("public.users: column a changed its type"), "{}", part.message);
    let mut removed = resource;
    removed.spec.tables.remove(0);
    assert_eq!(ready(&removed, &Parts::all(&good()), None).reason, "Replicating");
}

#[test]
fn a_suspended_resource_rests() {
    let mut resource = tables(streaming(0), streaming(0));
    resource.spec.suspend = true;
    let part = ready(&resource, &Parts::all(&good()), None);
    assert_eq!((part.reason.as_str(), part.status()), ("Suspended", "False"));
    assert_eq!(caught_up(&resource, &good(), &good(), &good(), true).reason, "Suspended");
    assert_eq!(state(&resource, &part), ObjectState::Suspended);
}

#[test]
fn caught_up_needs_every_table_streaming_reported_and_near() {
    let waiting = json!({"phase": "Waiting", "message": "no topic"});
    let copying = json!({"phase": "Snapshotting", "snapshotPercent": 40});
    for (resource, reported, reason, message) in [
        (tables(streaming(1), streaming(25)), true, "CaughtUp", "25 s"),
        (tables(streaming(1), streaming(26)), true, "Lagging", "public.orders by 26 s"),
        (tables(streaming(1), json!({"phase": "Streaming"})), true, "Lagging", "unknown"),
        (tables(streaming(1), copying), true, "Snapshotting", "public.orders (40 %)"),
        (tables(streaming(1), waiting), true, "Waiting", "no topic"),
        (tables(streaming(1), json!({"phase": "Retrying"})), true, "Retrying", "public.orders"),
        (tables(streaming(1), json!({"phase": "Stopped"})), true, "TableStopped", "public.orders"),
        (
            resource(&json!({"tables": [{"name": "public.users", "phase": "Streaming", "lagSeconds": 1}]})),
            true,
            "NotReported",
            "public.orders",
        ),
        (resource(&Value::Null), true, "NotReported", "2 of 2"),
        (tables(streaming(1), streaming(1)), false, "NotReported", "since they started"),
    ] {
        let part = caught_up(&resource, &good(), &good(), &good(), reported);
        assert_eq!(part.reason, reason, "{}", part.message);
        assert!(part.message.contains(message), "{}", part.message);
        assert_eq!(part.standing == Standing::Good, reason == "CaughtUp");
    }
}

#[test]
fn nothing_is_caught_up_while_pods_are_missing() {
    let resource = tables(streaming(0), streaming(0));
    let part = caught_up(&resource, &good(), &good(), &Part::working("PodsStarting", "0 of 1"), true);
    assert_eq!(part.reason, "ReplicatorNotReady");
}

#[test]
fn nothing_is_caught_up_while_no_connector_works_although_every_table_has_all_of_its_topic() {
    let resource = tables(streaming(0), streaming(0));
    let part = caught_up(&resource, &good(), &Part::working("Changing", "its tasks: none"), &good(), true);
    assert_eq!((part.standing, part.reason.as_str()), (Standing::Working, "ConnectorNotReady"));
}

#[test]
fn nothing_is_caught_up_while_changes_are_missing_at_the_source() {
    let resource = tables(streaming(0), streaming(0));
    for (source, expected) in [
        (Part::bad("SlotLost", "the slot is gone"), "SlotLost"),
        (Part::bad("SourceReplaced", "another server"), "SourceReplaced"),
        (Part::bad("SourceUnreachable", "no answer"), "CaughtUp"),
    ] {
        let part = caught_up(&resource, &source, &good(), &good(), true);
        assert_eq!(part.reason, expected, "{part:?}");
    }
}

#[test]
fn events_tell_of_transitions_only() {
    let resource = resource(&Value::Null);
    let creating = Parts::all(&Part::working("Creating", "it is being made"));
    let said = said_of(&resource, &creating, &[]);
    assert_eq!(notices(&said), [], "that a new resource is being made is no news");
    let before = said.conditions(Some(4), at(0));

    let mut parts = creating.clone();
    parts.source = Part::bad("WalLevel", "wal_level is replica");
    let said = said_of(&resource, &parts, &before);
    assert_eq!(reasons(&notices(&said)), [("WalLevel", true)], "said once, not for the summary again");
    let before = said.conditions(Some(4), at(1));
    assert_eq!(notices(&said_of(&resource, &parts, &before)), []);

    let good = Parts::all(&Part::good("PodsReady", "1 of 1"));
    let said = said_of(&resource, &good, &before);
    assert!(notices(&said).iter().all(|notice| !notice.warning));
    assert!(reasons(&notices(&said)).contains(&("Replicating", false)));
}

#[test]
fn a_note_is_cut_where_the_api_server_would_refuse_it() {
    let notice = Notice::warning("Long", &"ä".repeat(2_000));
    assert!(notice.note.len() <= 1_024 && notice.note.ends_with('…'));
}

fn set(spec: i64, ready: i64, updated: i64) -> Value {
    json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": spec},
        "status": {"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": updated},
    })
}

#[test]
fn the_replicator_is_ready_when_all_pods_are_and_run_the_current_configuration() {
    let reason = |set: Option<&Value>| parts::replicator(set, &[]).reason;
    assert_eq!(reason(None), "Creating");
    assert_eq!(reason(Some(&set(2, 2, 2))), "PodsReady");
    assert_eq!(reason(Some(&set(2, 1, 2))), "PodsStarting");
    assert_eq!(reason(Some(&set(2, 2, 1))), "RollingOut");
    assert_eq!(reason(Some(&set(0, 2, 2))), "PodsEnding");
    let mut old = set(2, 2, 2);
    old["status"]["observedGeneration"] = json!(1);
    assert_eq!(reason(Some(&old)), "RollingOut");
}

#[test]
fn a_pod_that_does_not_start_says_why_and_what_to_do() {
    let pod = |status: Value| json!({"metadata": {"name": "shop-replicator-0"}, "status": status});
    let container = |reason: &str| {
        pod(json!({"containerStatuses": [{"image": "r:1", "state": {"waiting": {"reason": reason, "message": "no"}}}]}))
    };
    for (pod, reason, advice) in [
        (container("ImagePullBackOff"), "ImagePullBackOff", "check the image r:1"),
        (container("CrashLoopBackOff"), "CrashLoopBackOff", "kubectl logs --previous shop-replicator-0"),
        (container("CreateContainerConfigError"), "CreateContainerConfigError", "Secrets"),
        (
            pod(json!({"conditions": [{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}]})),
            "Unschedulable",
            "0/1 nodes",
        ),
    ] {
        let part = parts::replicator(Some(&set(1, 0, 1)), &[pod]);
        assert_eq!((part.standing, part.reason.as_str()), (Standing::Bad, reason));
        assert!(part.message.contains(advice), "{}", part.message);
    }
    let starting = parts::replicator(Some(&set(1, 0, 1)), &[container("ContainerCreating")]);
    assert_eq!(starting.standing, Standing::Working);
}

fn pod(started: &str) -> Live {
    let object = json!({
        "metadata": {"name": "shop-replicator-0"},
        "status": {"containerStatuses": [{"state": {"running": {"startedAt": started}}}]},
    });
    Live { kind: &crate::watch::POD, name: "shop-replicator-0".to_owned(), object }
}

fn reported_at(time: &str) -> CdcReplication {
    let mut resource = resource(&json!({"tables": [{"name": "public.users", "phase": "Streaming"}]}));
    let fields = json!({"f:status": {"f:tables": {"k:{\"name\":\"public.users\"}": {"f:phase": {}}}}});
    let entry = json!([{"manager": "tributary-replicator-0", "operation": "Apply", "time": time, "fieldsType": "FieldsV1",
        "fieldsV1": fields, "subresource": "status"}]);
    resource.metadata.managed_fields = serde_json::from_value(entry).unwrap();
    resource
}

#[test]
fn a_table_counts_when_it_was_reported_by_the_pod_that_runs_now() {
    let live = [pod("2026-11-21T12:00:00Z")];
    assert!(since_start(&reported_at("2026-11-21T12:00:05Z"), &live));
    assert!(!since_start(&reported_at("2026-11-21T11:59:59Z"), &live));
    assert!(!since_start(&reported_at("2026-11-21T12:00:05Z"), &[]), "the pod is gone");
    assert!(since_start(&resource(&Value::Null), &live), "what was not reported is said elsewhere");
}

#[test]
fn connect_speaks_for_its_connector_unless_that_has_failed() {
    let kind = |name: &str| KINDS.iter().find(|kind| kind.kind == name).unwrap();
    let live = |name: &str, conditions: Value| Live {
        kind: kind(name),
        name: "shop".to_owned(),
        object: json!({"kind": name, "metadata": {"name": "shop", "generation": 1},
            "status": {"observedGeneration": 1, "conditions": conditions}}),
    };
    let failed = json!([{"type": "NotReady", "status": "True", "reason": "CompletionException", "message": "boom"}]);
    let resource = resource(&Value::Null);
    assert_eq!(connector(&resource, &[]).reason, "Creating");
    let part = connector(&resource, &[live("KafkaConnect", failed.clone())]);
    assert_eq!((part.standing, part.message.contains("boom")), (Standing::Bad, true));
    let part = connector(&resource, &[live("KafkaConnect", json!([])), live("KafkaConnector", failed)]);
    assert_eq!((part.standing, part.message.contains("boom")), (Standing::Bad, true));
}
