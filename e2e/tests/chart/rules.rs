//! What the operator and the cluster's users may do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{DEFAULT, EVERYTHING, NAMESPACES, SHAPES, objects, of_kind, text};

const CHILD: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Group, resource and verbs, in each namespace that the operator watches.
const OPERATOR: [(&str, &str, &[&str]); 21] = [
    ("tributary.dev", "cdcreplications", &["get", "list", "watch", "patch"]),
    ("tributary.dev", "cdcreplications/status", &["get", "patch"]),
    ("tributary.dev", "cdcreplications/finalizers", &["update"]),
    ("kafka.strimzi.io", "kafkas", CHILD),
    ("kafka.strimzi.io", "kafkanodepools", CHILD),
    ("kafka.strimzi.io", "kafkatopics", CHILD),
    ("kafka.strimzi.io", "kafkausers", CHILD),
    ("kafka.strimzi.io", "kafkaconnects", CHILD),
    ("kafka.strimzi.io", "kafkaconnectors", CHILD),
    ("apps", "statefulsets", CHILD),
    ("", "pods", &["list", "watch"]),
    ("", "configmaps", CHILD),
    ("", "services", CHILD),
    ("", "serviceaccounts", CHILD),
    ("", "secrets", &["get"]),
    ("rbac.authorization.k8s.io", "roles", CHILD),
    ("rbac.authorization.k8s.io", "rolebindings", CHILD),
    ("policy", "poddisruptionbudgets", CHILD),
    ("monitoring.coreos.com", "podmonitors", CHILD),
    ("events.k8s.io", "events", &["create", "patch"]),
    // The last line of each list is what it may do in its own namespace besides.
    ("coordination.k8s.io", "leases", &["create", "get", "patch"]),
];

/// `verb group/resource` for everything that a role's rules allow.
fn rights(role: &Value) -> BTreeSet<String> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                rights.extend(strings(&rule["verbs"]).iter().map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    rights
}

fn listed(rights: &[(&str, &str, &[&str])]) -> BTreeSet<String> {
    let each = rights
        .iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| format!("{verb} {group}/{resource}")));
    each.collect()
}

#[test]
fn the_operator_may_do_exactly_what_is_listed() {
    let (lease, watched) = OPERATOR.split_last().unwrap();
    let objects = objects(&text(DEFAULT, &["--set", "rbac.userRoles=false"]));
    let [all] = &of_kind(&objects, "ClusterRole")[..] else { panic!("one ClusterRole: {objects:?}") };
    assert_eq!(rights(all), listed(watched));
    let [own] = &of_kind(&objects, "Role")[..] else { panic!("one Role: {objects:?}") };
    assert_eq!(own["metadata"]["namespace"], "tributary-system");
    assert_eq!(rights(own), listed(&[*lease]));
    for rule in own["rules"].as_array().unwrap().iter().filter(|rule| rule["verbs"] != serde_json::json!(["create"])) {
        assert_eq!(rule["resourceNames"], serde_json::json!(["tributary-operator"]), "{rule}");
    }
}

#[test]
fn with_chosen_namespaces_it_has_the_same_rights_there_and_none_anywhere_else() {
    let (_, watched) = OPERATOR.split_last().unwrap();
    let objects = objects(&text(NAMESPACES, &["--set", "rbac.userRoles=false"]));
    assert!(of_kind(&objects, "ClusterRole").is_empty() && of_kind(&objects, "ClusterRoleBinding").is_empty());
    for namespace in ["shop", "lake"] {
        let here = |kind| -> Vec<Value> {
            of_kind(&objects, kind).into_iter().filter(|role| role["metadata"]["namespace"] == namespace).collect()
        };
        let (roles, bindings) = (here("Role"), here("RoleBinding"));
        assert_eq!((roles.len(), bindings.len()), (1, 1), "{namespace}");
        assert_eq!(rights(&roles[0]), listed(watched), "{namespace}");
        assert_eq!(bindings[0]["roleRef"]["name"], roles[0]["metadata"]["name"]);
        assert_eq!(bindings[0]["subjects"][0]["namespace"], "tributary-system");
    }
    assert_eq!(of_kind(&objects, "Role").len(), 3);
}

#[test]
fn every_rule_says_in_a_comment_why_it_is_there() {
    for shape in SHAPES {
        let text = text(shape, &[]);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let rules = lines.windows(2).filter(|pair| pair[1].starts_with("- apiGroups:"));
        let (told, untold): (Vec<_>, Vec<_>) = rules.partition(|pair| pair[0].starts_with("# "));
        assert!(untold.is_empty(), "{shape}: {untold:?}");
        assert!(told.len() > 12, "{shape}: {}", told.len());
    }
}

#[test]
fn no_rule_has_a_wildcard_or_lets_the_operator_raise_its_own_rights() {
    for shape in SHAPES {
        for role in objects(&text(shape, &[])).iter().filter(|object| object["rules"].is_array()) {
            for right in rights(role) {
                let verb = right.split(' ').next().unwrap();
                assert!(!right.contains('*') && !["escalate", "bind", "impersonate"].contains(&verb), "{right}");
            }
        }
    }
}

#[test]
fn users_who_may_view_or_edit_a_namespace_may_view_or_edit_its_replications() {
    let roles = of_kind(&objects(&text(EVERYTHING, &[])), "ClusterRole");
    let to = |purpose: &str| -> BTreeSet<String> {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{purpose}");
        roles.iter().filter(|role| role["metadata"]["labels"][&label] == "true").flat_map(rights).collect()
    };
    let view = ["get", "list", "watch"];
    let edit = ["create", "update", "patch", "delete", "deletecollection"];
    let read =
        listed(&[("tributary.dev", "cdcreplications", &view), ("tributary.dev", "cdcreplications/status", &view)]);
    assert_eq!(to("view"), read);
    let write: BTreeSet<String> =
        read.union(&listed(&[("tributary.dev", "cdcreplications", &edit)])).cloned().collect();
    assert_eq!(to("edit"), write);
    assert_eq!(to("admin"), write);
}
