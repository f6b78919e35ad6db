//! The positions that a Kafka Connect which is not ours keeps of the connector, also after it is deleted.

use jiff::Timestamp;
use serde_json::json;

use super::cleanup::{CleanUp, CleanUpStep, LOOK_AGAIN};
use super::{Left, Progress, Step};
use crate::apply::ApplyError;
use crate::strimzi::offsets::{OFFSETS, Reset, next};

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
        let reset = match self.target.ask("get", live, None).await? {
            Some(connector) => next(&connector, progress.reset_asked),
            None => Reset::Done,
        };
        match reset {
            Reset::Done => progress.done(Step::Offsets),
            _ if progress.is_over(Step::Offsets, now) => progress.give_up(Step::Offsets, self.offsets_left(&live.name)),
            Reset::Stop => drop(self.target.ask("stop", live, Some(json!({"spec": {"state": "stopped"}}))).await?),
            Reset::Ask => {
                let annotation = json!({"metadata": {"annotations": {OFFSETS: "reset"}}});
                self.target.ask("reset", live, Some(annotation)).await?;
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
