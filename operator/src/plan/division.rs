//! How tables change hands when they are divided among another number of pods: a table has one writer, so every pod that had
//! tables is gone before another one gets them. Replaced one after the other, two pods would write the same table for a
//! while, and the one that comes second stops that table.

use serde_json::Value;

use super::Plan;

impl Plan {
    /// The same plan without pods, as long as pods of another division are there. `stateful_set` is theirs, as last seen.
    #[must_use]
    pub fn after_division(mut self, stateful_set: Option<&Value>) -> Self {
        if stateful_set.is_some_and(|set| holds(set, self.replicator.shards)) {
            self.replicator.pods = 0;
        }
        self
    }
}

/// Whether pods may hold tables that are others' when they are divided into so many shares.
fn holds(set: &Value, shards: i32) -> bool {
    let number = |pointer| set.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    // What the set says of its pods is of before it knew that there are to be none.
    let is_stale = number("/status/observedGeneration") < number("/metadata/generation");
    if set.pointer("/spec/replicas") == Some(&Value::from(0)) {
        return is_stale || number("/status/replicas") > 0;
    }
    shards_of(set) != Some(i64::from(shards))
}

/// Into how many shares the pods of a set divide the tables, as they are told by `--shard ORDINAL/SHARES`.
fn shards_of(set: &Value) -> Option<i64> {
    let arguments = set.pointer("/spec/template/spec/containers/0/args")?.as_array()?;
    let at = arguments.iter().position(|argument| argument == "--shard")?;
    arguments.get(at + 1)?.as_str()?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::build::children;
    use crate::plan::fixture::{defaults, resource, secrets};

    const DOCUMENT: &str = include_str!("../build/golden/strimzi-json/input.yaml");

    fn plan(replicas: i32) -> Plan {
        let mut resource = resource(DOCUMENT);
        resource.spec.replicator.replicas = replicas;
        Plan::of(&resource, &defaults(), &secrets(&resource)).unwrap()
    }

    /// The set of a division as the API server has it: wanted and existing pods, and which generation it has seen.
    fn set(shards: i32, wanted: i32, existing: i32, seen: i64) -> Value {
        let objects = children(&plan(shards)).objects();
        let mut set = objects.into_iter().find(|object| object.kind.kind == "StatefulSet").unwrap().manifest;
        set["metadata"]["generation"] = json!(2);
        set["spec"]["replicas"] = json!(wanted);
        set["status"] = json!({"observedGeneration": seen, "replicas": existing});
        set
    }

    fn pods(replicas: i32, set: Option<&Value>) -> i32 {
        plan(replicas).after_division(set).replicator.pods
    }

    #[test]
    fn pods_start_at_once_when_there_are_none() {
        assert_eq!(pods(3, None), 3);
    }

    #[test]
    fn pods_of_the_same_division_stay_whatever_else_changes() {
        assert_eq!(pods(3, Some(&set(3, 3, 3, 1))), 3);
    }

    #[test]
    fn pods_of_another_division_end_before_any_of_the_new_one_starts() {
        for (old, new) in [(1, 3), (3, 2), (2, 1)] {
            assert_eq!(pods(new, Some(&set(old, old, old, 2))), 0, "{old} to {new}");
        }
        assert_eq!(pods(2, Some(&set(2, 0, 3, 1))), 0, "not seen yet");
        assert_eq!(pods(2, Some(&set(2, 0, 1, 2))), 0, "one is still there");
        assert_eq!(pods(2, Some(&set(2, 0, 0, 1))), 0, "one may have started meanwhile");
        assert_eq!(pods(2, Some(&set(2, 0, 0, 2))), 2);
    }

    #[test]
    fn a_set_whose_division_is_not_known_ends_first() {
        let mut set = set(2, 2, 2, 2);
        set["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["run"]);
        assert_eq!(pods(2, Some(&set)), 0);
    }
}
