//! The copy of one added table: when it is asked for, how long it may take to say anything, and when it is asked for again.
//! Pure: what the connector said, and the time, come in.

use std::time::Duration;

use jiff::Timestamp;

use crate::signal::{SnapshotResult, SnapshotWatch};

/// How long the connector may take to say anything about a signal.
const PATIENCE: Duration = Duration::from_secs(30);
/// A snapshot of which nothing was heard for so long was lost with its connector.
const SILENCE: Duration = Duration::from_mins(1);

/// The copy of one added table.
#[derive(Clone, Debug)]
pub(super) struct Copying {
    pub(super) table: String,
    /// What the names of its signals begin with.
    name: String,
    attempt: u32,
    pub(super) watch: SnapshotWatch,
    /// When the signal of this attempt was sent, if we sent it.
    pub(super) asked: Option<Timestamp>,
}

/// What to do about a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the signal of this attempt.
    Ask,
    /// Send one of another name.
    AskAnew,
    /// Nothing.
    Wait,
    /// All rows are there.
    Finish,
}

impl Copying {
    /// Nothing was asked yet.
    pub(super) fn new(table: &str, uid: &str, generation: i64) -> Self {
        let name = format!("{uid}.{}.{generation}", crate::plan::digest(table));
        let watch = SnapshotWatch::of_signal(id(&name, 0));
        Self { table: table.to_owned(), name, attempt: 0, watch, asked: None }
    }

    /// The name of this attempt's signal.
    pub(super) fn id(&self) -> String {
        id(&self.name, self.attempt)
    }

    /// The next attempt, with a signal of another name.
    pub(super) fn try_anew(&mut self) {
        self.attempt += 1;
        self.watch = SnapshotWatch::of_signal(id(&self.name, self.attempt));
    }

    /// What to do, now that the connector says this of the signal.
    pub(super) fn step(&self, result: SnapshotResult, now: Timestamp) -> Step {
        // The broker's clock may be ahead of ours.
        let is_within =
            |limit: Duration, at: Timestamp| now.duration_since(at).as_millis() < limit.as_millis().cast_signed();
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

/// The name of a signal: the same after a restart of the operator, and no part of another one.
fn id(name: &str, attempt: u32) -> String {
    format!("{name}.{attempt}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn copying(asked: Option<i64>) -> Copying {
        Copying { asked: asked.map(at), ..Copying::new("public.a", "u", 3) }
    }

    #[test]
    fn a_copy_is_asked_for_watched_and_finished() {
        for (asked, result, expected) in [
            (None, SnapshotResult::Unknown, Step::Ask),
            (Some(990), SnapshotResult::Unknown, Step::Wait),
            (Some(990), SnapshotResult::Running(at(995)), Step::Wait),
            (Some(990), SnapshotResult::Running(at(1005)), Step::Wait),
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
            (Some(500), SnapshotResult::Running(at(941)), Step::Wait),
            (Some(500), SnapshotResult::Running(at(940)), Step::AskAnew),
        ] {
            assert_eq!(copying(asked).step(result, at(1000)), expected, "{asked:?} {result:?}");
        }
    }

    #[test]
    fn no_signal_has_the_name_of_another_or_a_part_of_it() {
        let of = |table: &str, generation: i64, attempt: u32| id(&Copying::new(table, "u", generation).name, attempt);
        let ids = [
            of("public.a", 3, 0),
            of("public.a", 3, 1),
            of("public.a", 3, 11),
            of("public.b", 3, 0),
            of("public.a", 33, 0),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other.contains(id.as_str())), Some(index), "{ids:?}");
        }
    }
}
