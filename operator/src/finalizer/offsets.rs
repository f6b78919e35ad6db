//! The positions that a Kafka Connect which is not ours keeps of the connector, also after it is deleted.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cleanup::{CleanUp, CleanUpStep, LOOK_AGAIN};
use super::{Left, Progress, Step};
use crate::apply::ApplyError;

/// Asks Strimzi for something about a connector's positions; removed when it is done. Only a stopped connector's can be reset.
const OFFSETS: &str = "strimzi.io/connector-offsets";

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    Stop,
    Ask,
    Wait,
    Done,
}

/// What is to be done next with a connector as it is now.
fn next(connector: &Value, asked: bool) -> Reset {
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

impl CleanUp<'_> {
    /// Has the positions forgotten, or waits, or gives it up.
    pub(super) async fn offsets(
        &self,
        progress: &mut Progress,
        now: Timestamp,
    ) -> Result<Option<CleanUpStep>, ApplyError> {
        let Some(live) = self.of(&["KafkaConnector"]).next() else {
            progress.done(Step::Offsets);
            return Ok(None);
        };
        let reset = match self.ask("get", live, None).await? {
            Some(connector) => next(&connector, progress.reset_asked),
            None => Reset::Done,
        };
        match reset {
            Reset::Done => progress.done(Step::Offsets),
            _ if progress.is_over(Step::Offsets, now) => progress.give_up(Step::Offsets, self.offsets_left(&live.name)),
            Reset::Stop => drop(self.ask("stop", live, Some(json!({"spec": {"state": "stopped"}}))).await?),
            Reset::Ask => {
                let annotation = json!({"metadata": {"annotations": {OFFSETS: "reset"}}});
                self.ask("reset", live, Some(annotation)).await?;
                progress.reset_asked = true;
            }
            Reset::Wait => {}
        }
        let waits = format!("waiting for Kafka Connect to forget the positions of connector {}", live.name);
        Ok((!progress.is_done(Step::Offsets)).then_some(CleanUpStep::Waits(LOOK_AGAIN, waits)))
    }

    fn offsets_left(&self, connector: &str) -> Left {
        let cluster = self.resource.spec.connect.cluster_name.as_deref().unwrap_or_default();
        let namespace = self.target.namespace;
        Left {
            what: format!(
                "the positions of connector {connector} in Kafka Connect {cluster}, from which a resource of this name would go on"
            ),
            command: format!(
                "kubectl -n {namespace} annotate kafkaconnector {connector} {OFFSETS}=reset (once there is one of this name that is stopped)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
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
