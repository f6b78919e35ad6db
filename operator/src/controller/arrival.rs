//! Tables that were added. They wait until the connector has copied those that it was created with; then it is told of them, and
//! copies one after the other: each is asked for by a signal, and watched until all its rows are in its topic.

use jiff::Timestamp;

use super::Memory;
use super::copying::{Copying, Step};
use super::pass::Pass;
use crate::apply::Live;
use crate::capture::{Capture, connector_is_current};
use crate::error::PassError;
use crate::observe::{SecretsOf, kafka_options};
use crate::plan::Plan;
use crate::report::Notice;
use crate::signal::{Kafka, SnapshotResult, SnapshotWatch, execute_snapshot};

impl Pass<'_> {
    /// The plan with what the connector may know of added tables.
    ///
    /// A connector that is changed in its initial snapshot takes another one, and only then tells the publication of the new
    /// table: changes of it that come in between are nowhere. So it is not told of any. When Kafka does not say how that goes, the error comes beside the plan: the connector has to stay as it is, and everything else is applied.
    pub(super) async fn with_arrivals(
        &self,
        memory: &mut Memory,
        plan: Plan,
        capture: &Capture,
        live: &[Live],
    ) -> Result<(Plan, Option<PassError>), PassError> {
        if capture.arriving.is_empty() {
            return Ok((plan, None));
        }
        let connector = live.iter().find(|live| live.kind.kind == "KafkaConnector");
        let Some(connector) = connector.filter(|_| !self.resource.spec.suspend) else {
            return Ok((plan.while_arriving(&capture.arriving), None));
        };
        Ok(match self.initial_snapshot(memory, &plan).await {
            Ok(SnapshotResult::Running(_)) => (plan.before_arrival(&capture.arriving, &connector.object), None),
            Ok(_) => (plan.while_arriving(&capture.arriving), None),
            Err(error @ PassError::Signal(_)) => (plan, Some(error)),
            Err(error) => return Err(error),
        })
    }

    async fn initial_snapshot(&self, memory: &mut Memory, plan: &Plan) -> Result<SnapshotResult, PassError> {
        let Some(kafka) = self.kafka(plan).await? else { return Ok(SnapshotResult::Unknown) };
        let watch = memory.initial.get_or_insert_with(SnapshotWatch::initial);
        watch.look(&kafka, self.resource).await.map_err(PassError::Signal)
    }

    async fn kafka(&self, plan: &Plan) -> Result<Option<Kafka>, PassError> {
        let Some(external) = &plan.resource.spec.kafka.external else { return Ok(None) };
        let of = if plan.kafka.is_some() { SecretsOf::Strimzi } else { SecretsOf::User };
        let options = kafka_options(&self.context.client, self.namespace(), external, of).await?;
        Ok(Some(Kafka::new(&external.bootstrap_servers, options)))
    }

    /// Takes the copies of added tables one step further.
    pub(super) async fn copy_added(
        &self,
        memory: &mut Memory,
        plan: &Plan,
        capture: Capture,
        live: &[Live],
    ) -> Result<(), PassError> {
        if !live.iter().any(|live| live.kind.kind == "KafkaConnector") {
            return Ok(());
        }
        memory.captured = Some(capture.captured);
        if self.resource.spec.suspend || capture.arriving.is_empty() || !connector_is_current(live) {
            return Ok(());
        }
        let Some(mut copying) = self.next(memory, &capture.arriving).await else { return Ok(()) };
        let is_done = self.copy(plan, &mut copying).await?;
        if is_done {
            self.copied(memory, &copying.table).await;
        }
        memory.copying = (!is_done).then_some(copying);
        Ok(())
    }

    /// The copy that is under way, or that of the first table that the connector knows.
    async fn next(&self, memory: &mut Memory, arriving: &[String]) -> Option<Copying> {
        if let Some(copying) = memory.copying.clone().filter(|copying| arriving.contains(&copying.table)) {
            return Some(copying);
        }
        self.source(memory, true).await;
        let known = arriving.iter().find(|table| memory.source.publishes(table))?;
        let metadata = &self.resource.metadata;
        let (uid, generation) = (metadata.uid.as_deref().unwrap_or_default(), metadata.generation.unwrap_or_default());
        Some(Copying::new(known, uid, generation))
    }

    /// Whether all rows are in the topic.
    async fn copy(&self, plan: &Plan, copying: &mut Copying) -> Result<bool, PassError> {
        let Some(kafka) = self.kafka(plan).await? else { return Ok(false) };
        let result = copying.watch.look(&kafka, self.resource).await.map_err(PassError::Signal)?;
        let now = Timestamp::now();
        match copying.step(result, now) {
            Step::Finish => return Ok(true),
            Step::Wait => return Ok(false),
            Step::Ask => {}
            Step::AskAnew => copying.try_anew(),
        }
        let asked = execute_snapshot(&kafka, self.resource, &[&copying.table], &copying.id()).await;
        asked.map_err(PassError::Signal)?;
        copying.asked = Some(now);
        let note = format!("asked the connector to copy the rows of {}", copying.table);
        self.context.publish(self.resource, &Notice::normal("SnapshotRequested", &note)).await;
        Ok(false)
    }

    async fn copied(&self, memory: &mut Memory, table: &str) {
        let note = format!("all rows that {table} had when it was added are in its topic");
        self.context.publish(self.resource, &Notice::normal("SnapshotCompleted", &note)).await;
        let is_captured =
            |name: &String| name == table || memory.captured.iter().flatten().any(|captured| captured == name);
        // In the order of the spec, so that the same tables are equal.
        let names = self.resource.spec.tables.iter().map(|table| &table.name);
        let captured = names.filter(|name| is_captured(name)).cloned().collect();
        memory.captured = Some(captured);
    }

    /// The tables that need no signal; `None` before there was a connector.
    pub(super) fn captured(&self, memory: &Memory) -> Option<Vec<String>> {
        let known = || self.resource.status.as_ref()?.captured_tables.clone();
        memory.captured.clone().or_else(known)
    }
}
