//! Tables that were added. They wait until the connector has copied those that it was created with; then it is told of them, and
//! copies one after the other: each is asked for by a signal, and watched until all its rows are in its topic.

use std::time::Duration;

use jiff::Timestamp;

use super::Memory;
use super::pass::Pass;
use crate::apply::Live;
use crate::capture::{Capture, connector_is_current};
use crate::error::PassError;
use crate::observe::kafka_options;
use crate::plan::Plan;
use crate::report::Notice;
use crate::signal::{Kafka, SnapshotResult, execute_snapshot, initial_snapshot, snapshot_result};

/// How long the connector may take to say anything about a signal.
const PATIENCE: Duration = Duration::from_secs(30);
/// A snapshot of which nothing was heard for so long was lost with its connector.
const SILENCE: Duration = Duration::from_mins(5);

/// The copy of one added table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copying {
    table: String,
    generation: i64,
    attempt: u32,
    /// When the signal of this attempt was sent, if we sent it.
    asked: Option<Timestamp>,
}

/// What to do about a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Ask,
    AskAnew,
    Wait,
    Finish,
}

impl Copying {
    fn new(table: &str, generation: i64) -> Self {
        Self { table: table.to_owned(), generation, attempt: 0, asked: None }
    }

    /// The name of the signal: the same after a restart of the operator, and no part of another one.
    fn id(&self, uid: &str) -> String {
        format!("{uid}.{}.{}.{}.", crate::plan::digest(&self.table), self.generation, self.attempt)
    }

    fn step(&self, result: SnapshotResult, now: Timestamp) -> Step {
        let is_within =
            |limit: Duration, at: Timestamp| Duration::try_from(now.duration_since(at)).is_ok_and(|it| it < limit);
        let just_asked = self.asked.is_some_and(|at| is_within(PATIENCE, at));
        match result {
            SnapshotResult::Done => Step::Finish,
            SnapshotResult::Running(at) if is_within(SILENCE, at) => Step::Wait,
            SnapshotResult::Unknown | SnapshotResult::Skipped if just_asked => Step::Wait,
            SnapshotResult::Unknown => Step::Ask,
            SnapshotResult::Running(_) | SnapshotResult::Skipped => Step::AskAnew,
        }
    }
}

impl Pass<'_> {
    /// The plan with what the connector may know of added tables.
    ///
    /// A connector that is changed in its initial snapshot takes another one, and only then tells the publication of the new
    /// table: changes of it that come in between are nowhere.
    pub(super) async fn with_arrivals(&self, plan: Plan, capture: &Capture, live: &[Live]) -> Result<Plan, PassError> {
        if capture.arriving.is_empty() {
            return Ok(plan);
        }
        let copies = live.iter().any(|live| live.kind.kind == "KafkaConnector") && !self.resource.spec.suspend;
        let initial = if copies { self.initial_snapshot(&plan).await? } else { SnapshotResult::Unknown };
        Ok(match initial {
            SnapshotResult::Running(_) => plan.before_arrival(&capture.arriving),
            _ => plan.while_arriving(&capture.arriving),
        })
    }

    async fn initial_snapshot(&self, plan: &Plan) -> Result<SnapshotResult, PassError> {
        let Some(kafka) = self.kafka(plan).await? else { return Ok(SnapshotResult::Unknown) };
        initial_snapshot(&kafka, self.resource).await.map_err(PassError::Signal)
    }

    async fn kafka(&self, plan: &Plan) -> Result<Option<Kafka>, PassError> {
        let Some(external) = &plan.resource.spec.kafka.external else { return Ok(None) };
        let options = kafka_options(&self.context.client, self.namespace(), external).await?;
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
        Some(Copying::new(known, self.resource.metadata.generation.unwrap_or_default()))
    }

    /// Whether all rows are in the topic.
    async fn copy(&self, plan: &Plan, copying: &mut Copying) -> Result<bool, PassError> {
        let Some(kafka) = self.kafka(plan).await? else { return Ok(false) };
        let uid = self.resource.metadata.uid.as_deref().unwrap_or_default();
        let result = snapshot_result(&kafka, self.resource, &copying.id(uid)).await.map_err(PassError::Signal)?;
        let now = Timestamp::now();
        match copying.step(result, now) {
            Step::Finish => return Ok(true),
            Step::Wait => return Ok(false),
            Step::Ask => {}
            Step::AskAnew => copying.attempt += 1,
        }
        let asked = execute_snapshot(&kafka, self.resource, &[&copying.table], &copying.id(uid)).await;
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

    /// The tables that need no signal, as far as is known.
    pub(super) fn captured(&self, memory: &Memory) -> Vec<String> {
        let known = || self.resource.status.as_ref().map(|status| status.captured_tables.clone());
        memory.captured.clone().or_else(known).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn copying(asked: Option<i64>) -> Copying {
        Copying { asked: asked.map(at), ..Copying::new("public.a", 3) }
    }

    #[test]
    fn a_copy_is_asked_for_watched_and_finished() {
        for (asked, result, expected) in [
            (None, SnapshotResult::Unknown, Step::Ask),
            (Some(990), SnapshotResult::Unknown, Step::Wait),
            (Some(990), SnapshotResult::Running(at(995)), Step::Wait),
            (Some(990), SnapshotResult::Done, Step::Finish),
            (None, SnapshotResult::Done, Step::Finish),
        ] {
            assert_eq!(copying(asked).step(result, at(1000)), expected, "{asked:?} {result:?}");
        }
    }

    #[test]
    fn a_signal_that_was_lost_skipped_or_died_with_its_connector_is_sent_again() {
        for (asked, result, expected) in [
            (Some(960), SnapshotResult::Unknown, Step::Ask),
            (Some(990), SnapshotResult::Skipped, Step::Wait),
            (Some(960), SnapshotResult::Skipped, Step::AskAnew),
            (None, SnapshotResult::Skipped, Step::AskAnew),
            (Some(500), SnapshotResult::Running(at(701)), Step::Wait),
            (Some(500), SnapshotResult::Running(at(700)), Step::AskAnew),
        ] {
            assert_eq!(copying(asked).step(result, at(1000)), expected, "{asked:?} {result:?}");
        }
    }

    #[test]
    fn no_signal_has_the_name_of_another_or_a_part_of_it() {
        let mut second = copying(None);
        second.attempt = 1;
        let mut eleventh = copying(None);
        eleventh.attempt = 11;
        let ids = [copying(None), second, eleventh, Copying::new("public.b", 3), Copying::new("public.a", 33)]
            .map(|copying| copying.id("u"));
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other.contains(id.as_str())), Some(index), "{ids:?}");
        }
    }
}
