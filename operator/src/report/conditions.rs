//! Conditions: one per part, each with the generation that it speaks of and the time since which it has been so.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Part, Parts};

/// The types of the conditions, the summary first.
pub const CONDITIONS: [&str; 6] =
    ["Ready", "SourceReady", "KafkaReady", "ConnectorReady", "ReplicatorReady", "CaughtUp"];
const PAUSED: &str = "ReconciliationPaused";
/// The API server takes 32,768 characters; nobody reads more than this.
const LONGEST_MESSAGE: usize = 4_096;

/// What is to be said about a resource, next to what was said before.
#[derive(Clone, Debug)]
pub struct Said {
    before: Vec<Condition>,
    now: Vec<(&'static str, Part)>,
    /// Old conditions stay as they are: nobody has looked.
    keeps: bool,
}

impl Said {
    /// The conditions of all parts, and nothing else: what nobody says any more is dropped.
    pub fn of_parts(before: &[Condition], ready: &Part, parts: &Parts) -> Self {
        let Parts { source, kafka, connector, replicator, caught_up } = parts;
        let parts = [ready, source, kafka, connector, replicator, caught_up];
        let now = CONDITIONS.into_iter().zip(parts.into_iter().cloned()).collect();
        Self { before: before.to_vec(), now, keeps: false }
    }

    /// Only the summary is new; the parts were not looked at.
    pub fn of_ready(before: &[Condition], ready: &Part) -> Self {
        Self { before: without_pause(before), now: vec![("Ready", ready.clone())], keeps: true }
    }

    /// The operator leaves the resource alone; what it said last stands.
    pub fn of_pause(before: &[Condition], part: &Part) -> Self {
        Self { before: before.to_vec(), now: vec![(PAUSED, part.clone())], keeps: true }
    }

    /// What was said before about a condition.
    pub(super) fn earlier(&self, type_: &str) -> Option<&Condition> {
        self.before.iter().find(|condition| condition.type_ == type_)
    }

    /// What is said now.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        self.now.iter().map(|(type_, part)| (*type_, part))
    }

    /// The conditions as they are written.
    pub(super) fn conditions(&self, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
        let said = self.now.iter().map(|(type_, part)| self.condition(type_, part, generation, now));
        let is_new = |condition: &&Condition| !self.now.iter().any(|(type_, _)| *type_ == condition.type_);
        let kept = self.before.iter().filter(|_| self.keeps).filter(is_new).cloned();
        let mut conditions: Vec<Condition> = said.chain(kept).collect();
        // In a fixed order, so that the same conditions are equal.
        conditions.sort_by_key(|condition| CONDITIONS.iter().position(|type_| *type_ == condition.type_).unwrap_or(99));
        conditions
    }

    fn condition(&self, type_: &str, part: &Part, generation: Option<i64>, now: Timestamp) -> Condition {
        let unchanged = self.earlier(type_).filter(|earlier| earlier.status == part.status());
        Condition {
            type_: type_.to_owned(),
            status: part.status().to_owned(),
            reason: part.reason.clone(),
            message: shortened(&part.message, LONGEST_MESSAGE),
            observed_generation: generation,
            last_transition_time: unchanged.map_or(seconds(now), |earlier| earlier.last_transition_time.clone()),
        }
    }
}

fn without_pause(conditions: &[Condition]) -> Vec<Condition> {
    conditions.iter().filter(|condition| condition.type_ != PAUSED).cloned().collect()
}

/// The API keeps whole seconds; a finer time would differ from itself after a round trip.
fn seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// The text, cut at a character, with a sign that it was.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}
