//! How a connector's positions are forgotten: Strimzi does it for a connector that is stopped, when an annotation asks for it. Pure.

use serde_json::Value;

/// Asks Strimzi for something about a connector's positions; removed when it is done. Only a stopped connector's can be reset.
pub const OFFSETS: &str = "strimzi.io/connector-offsets";

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Tell it to stop.
    Stop,
    /// Ask Strimzi, by [`OFFSETS`].
    Ask,
    /// Strimzi or Connect is at it.
    Wait,
    /// They are forgotten.
    Done,
}

/// What is to be done next with a connector as it is now. `asked`: Strimzi was asked.
pub fn next(connector: &Value, asked: bool) -> Reset {
    let text = |pointer| connector.pointer(pointer).and_then(Value::as_str);
    let annotated = connector.pointer("/metadata/annotations").is_some_and(|all| all.get(OFFSETS).is_some());
    let stopped = text("/status/connectorStatus/connector/state") == Some("STOPPED");
    match text("/spec/state") {
        _ if annotated => Reset::Wait,
        _ if asked => Reset::Done,
        Some("stopped") if stopped => Reset::Ask,
        Some("stopped") => Reset::Wait,
        _ => Reset::Stop,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connector(state: &str, reported: &str, annotated: bool) -> Value {
        let annotations = if annotated { json!({OFFSETS: "reset"}) } else { json!({}) };
        json!({
            "metadata": {"annotations": annotations},
            "spec": {"state": state},
            "status": {"connectorStatus": {"connector": {"state": reported}}},
        })
    }

    #[test]
    fn a_connector_is_stopped_then_reset_and_done_when_strimzi_has_taken_the_annotation_away() {
        assert_eq!(next(&connector("running", "RUNNING", false), false), Reset::Stop);
        assert_eq!(next(&connector("stopped", "RUNNING", false), false), Reset::Wait);
        assert_eq!(next(&connector("stopped", "STOPPED", false), false), Reset::Ask);
        assert_eq!(next(&connector("stopped", "STOPPED", true), true), Reset::Wait);
        assert_eq!(next(&connector("stopped", "STOPPED", false), true), Reset::Done);
    }

    #[test]
    fn a_reset_that_an_earlier_operator_asked_for_is_waited_for() {
        assert_eq!(next(&connector("stopped", "STOPPED", true), false), Reset::Wait);
    }

    #[test]
    fn a_suspended_connector_that_connect_does_not_know_yet_is_waited_for() {
        assert_eq!(next(&json!({"spec": {"state": "stopped"}}), false), Reset::Wait);
        assert_eq!(next(&json!({"spec": {}}), false), Reset::Stop);
    }
}
