//! What makes an object be written again, and what does not.

use serde_json::json;

use super::*;
use crate::build::KINDS;

fn live(object: Value) -> Live {
    Live { kind: &KINDS[0], name: "a".to_owned(), object }
}

#[test]
fn a_field_that_is_no_longer_desired_changes_the_hash() {
    let before = hashed(&json!({"metadata": {"name": "a"}, "spec": {"x": 1, "y": 2}}));
    let after = hashed(&json!({"metadata": {"name": "a"}, "spec": {"x": 1}}));
    assert!(is_current(&live(before.clone()), &before));
    assert!(!is_current(&live(before), &after));
}

#[test]
fn annotations_of_its_own_are_kept_beside_the_hash() {
    let desired = hashed(&json!({"metadata": {"annotations": {"strimzi.io/use-connector-resources": "true"}}}));
    let annotations = desired["metadata"]["annotations"].as_object().unwrap();
    assert!(annotations.len() == 2 && annotations.contains_key(HASH));
}

#[test]
fn a_write_that_changed_nothing_is_not_tried_again_until_something_changes() {
    let object = |version: &str, cpu: &str, status: i64| {
        live(json!({"metadata": {"name": "a", "resourceVersion": version}, "spec": {"cpu": cpu}, "status": status}))
    };
    let desired = json!({"spec": {"cpu": "1000m"}});
    let mut futile = FutileWrites::default();
    assert!(!futile.holds(&object("5", "1", 0), &desired));
    futile.note(Some(&object("5", "1", 0)), &object("5", "1", 0), &desired);
    assert!(futile.holds(&object("6", "1", 1), &desired), "a status of its own is no change");
    assert!(!futile.holds(&object("6", "2", 1), &desired), "somebody changed it");
    assert!(!futile.holds(&object("5", "1", 0), &json!({"spec": {"cpu": "2"}})), "we want something else");
    futile.note(Some(&object("5", "1", 0)), &object("7", "2", 0), &desired);
    assert!(!futile.holds(&object("7", "2", 0), &desired), "a write that changed something is no such difference");
}

#[test]
fn only_what_this_very_resource_controls_is_its_orphan() {
    let owned = |uid: &str, controller: bool| {
        live(json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": controller}]}}))
    };
    assert!(owned("u-1", true).is_controlled_by("u-1"));
    assert!(!owned("u-2", true).is_controlled_by("u-1"));
    assert!(!owned("u-1", false).is_controlled_by("u-1"));
    assert!(!live(json!({"metadata": {}})).is_controlled_by("u-1"));
}
