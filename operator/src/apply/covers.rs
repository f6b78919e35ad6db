//! Whether a live object already says what is desired: everything desired is in it, whatever else it holds.

use serde_json::{Map, Value};

/// What tells the elements of a list from each other, where the API merges lists by key.
const KEYS: [&str; 6] = ["name", "type", "mountPath", "containerPort", "ip", "key"];

/// Whether `live` holds all of `desired`: other fields, and other elements of lists that have keys, belong to others.
///
/// What is empty equals what is not there: the API server leaves it out.
pub(super) fn covers(live: &Value, desired: &Value) -> bool {
    within(live, desired, false)
}

/// `amounts`: the scalars here are amounts of resources, which the API server spells its own way (`1024Mi`: `1Gi`).
fn within(live: &Value, desired: &Value, amounts: bool) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => fields(live, desired, amounts),
        (Value::Array(live), Value::Array(desired)) => elements(live, desired),
        (live, desired) if amounts => live == desired || (amount(live).is_some() && amount(live) == amount(desired)),
        (live, desired) => live == desired,
    }
}

fn fields(live: &Map<String, Value>, desired: &Map<String, Value>, amounts: bool) -> bool {
    desired.iter().all(|(key, desired)| match live.get(key) {
        Some(live) => within(live, desired, amounts || holds_amounts(key)),
        None => is_empty(desired),
    })
}

fn elements(live: &[Value], desired: &[Value]) -> bool {
    match KEYS.into_iter().find(|key| !desired.is_empty() && desired.iter().all(|element| element.get(key).is_some())) {
        Some(key) => desired
            .iter()
            .all(|desired| live.iter().any(|live| live.get(key) == desired.get(key) && within(live, desired, false))),
        None => {
            live.len() == desired.len() && live.iter().zip(desired).all(|(live, desired)| within(live, desired, false))
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn holds_amounts(key: &str) -> bool {
    matches!(key, "requests" | "limits" | "sizeLimit")
}

/// An amount in thousandths: `500m`, `1`, `1.5`, `64Mi`.
fn amount(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: i128 = match unit {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let tenths = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some(number.checked_mul(scale)? / tenths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_added_does_not_matter() {
        let desired = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 2}});
        let live = json!({
            "metadata": {"labels": {"a": "1", "b": "2"}, "uid": "u"},
            "spec": {"replicas": 2, "revisionHistoryLimit": 10},
            "status": {"readyReplicas": 1}
        });
        assert!(covers(&live, &desired));
    }

    #[test]
    fn what_somebody_changed_or_removed_does() {
        let desired = json!({"spec": {"replicas": 2, "paused": false}});
        assert!(!covers(&json!({"spec": {"replicas": 3, "paused": false}}), &desired));
        assert!(!covers(&json!({"spec": {"replicas": 2}}), &desired));
        assert!(!covers(&json!({}), &desired));
    }

    #[test]
    fn a_list_with_keys_may_have_more_elements_in_any_order() {
        let desired = json!({"containers": [{"name": "a", "image": "x"}]});
        let injected =
            json!({"containers": [{"name": "proxy", "image": "p"}, {"name": "a", "image": "x", "tty": false}]});
        assert!(covers(&injected, &desired));
        assert!(!covers(&json!({"containers": [{"name": "a", "image": "y"}]}), &desired));
        assert!(!covers(&json!({"containers": [{"name": "b", "image": "x"}]}), &desired));
    }

    #[test]
    fn a_list_without_keys_is_one_value() {
        let desired = json!({"args": ["run", "-f"]});
        assert!(covers(&json!({"args": ["run", "-f"]}), &desired));
        assert!(!covers(&json!({"args": ["run", "-f", "x"]}), &desired));
        assert!(!covers(&json!({"args": ["-f", "run"]}), &desired));
    }

    #[test]
    fn what_is_empty_equals_what_is_not_there() {
        assert!(covers(&json!({}), &json!({"annotations": {}, "args": [], "note": "", "owner": null})));
        assert!(!covers(&json!({}), &json!({"automountServiceAccountToken": false})));
        assert!(!covers(&json!({}), &json!({"replicas": 0})));
    }

    #[test]
    fn an_amount_equals_itself_in_another_spelling_and_only_where_amounts_are() {
        let resources = |memory: &str, cpu: Value| json!({"resources": {"limits": {"memory": memory, "cpu": cpu}}});
        assert!(covers(&resources("1Gi", json!("1")), &resources("1024Mi", json!("1000m"))));
        assert!(covers(&resources("1Gi", json!("1500m")), &resources("1Gi", json!("1.5"))));
        assert!(covers(&resources("1Gi", json!("1")), &resources("1Gi", json!(1))));
        assert!(!covers(&resources("1Gi", json!("1")), &resources("2Gi", json!("1"))));
        assert!(!covers(&json!({"data": {"size": "1Gi"}}), &json!({"data": {"size": "1024Mi"}})));
    }
}
