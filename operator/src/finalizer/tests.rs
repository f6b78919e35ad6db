//! The finalizer as a state machine.

use DeletionPolicy::{Delete, Retain};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(10_000 + second).unwrap()
}

const NOTHING: Remains =
    Remains { shared_connect: false, running: false, topics: false, cluster: false, external: false };

#[test]
fn the_finalizer_is_there_only_while_the_policy_is_delete() {
    for (policy, present, deleting, expected) in [
        (Delete, false, false, Duty::Add),
        (Delete, true, false, Duty::Nothing),
        (Retain, true, false, Duty::Remove),
        (Retain, false, false, Duty::Nothing),
    ] {
        assert_eq!(duty(policy, present, deleting), expected, "{policy:?} {present} {deleting}");
    }
}

#[test]
fn a_deleted_resource_is_cleaned_up_after_only_by_whoever_put_the_finalizer() {
    for (policy, present, expected) in [
        (Delete, true, Duty::CleanUp),
        (Delete, false, Duty::Nothing),
        (Retain, true, Duty::Remove),
        (Retain, false, Duty::Nothing),
    ] {
        assert_eq!(duty(policy, present, true), expected, "{policy:?} {present}");
    }
}

#[test]
fn the_source_is_dropped_after_its_reader_is_gone_and_the_kafka_after_its_topics() {
    let mut progress = Progress::new(at(0));
    let mut remains = Remains { running: true, topics: true, cluster: true, ..NOTHING };
    assert_eq!(progress.next(remains, at(0)), Step::Stop);
    remains.running = false;
    assert_eq!(progress.next(remains, at(1)), Step::Source);
    progress.done(Step::Source);
    assert_eq!(progress.next(remains, at(2)), Step::Topics);
    remains.topics = false;
    assert_eq!(progress.next(remains, at(3)), Step::Cluster);
    remains.cluster = false;
    assert_eq!(progress.next(remains, at(4)), Step::LetGo);
}

#[test]
fn a_kafka_connect_that_stays_forgets_the_connector_before_it_is_deleted() {
    let mut progress = Progress::new(at(0));
    let remains = Remains { shared_connect: true, running: true, ..NOTHING };
    assert_eq!(progress.next(remains, at(0)), Step::Offsets);
    assert!(!progress.is_over(Step::Offsets, at(59)));
    assert!(progress.is_over(Step::Offsets, at(60)));
    progress.done(Step::Offsets);
    assert_eq!(progress.next(remains, at(1)), Step::Stop);
}

#[test]
fn topics_of_a_kafka_that_is_not_ours_are_deleted_one_by_one() {
    let mut progress = Progress::new(at(0));
    let remains = Remains { external: true, ..NOTHING };
    progress.done(Step::Source);
    assert_eq!(progress.next(remains, at(0)), Step::ExternalTopics);
    progress.done(Step::ExternalTopics);
    assert_eq!(progress.next(remains, at(0)), Step::LetGo);
}

#[test]
fn whatever_hangs_the_resource_goes_in_the_end() {
    let stuck = Remains { running: true, topics: true, cluster: true, ..NOTHING };
    let mut progress = Progress::new(at(0));
    assert_eq!(progress.next(stuck, at(119)), Step::Stop);
    assert_eq!(progress.next(stuck, at(120)), Step::Source);
    assert!(!progress.is_over(Step::Source, at(239)));
    assert!(progress.is_over(Step::Source, at(240)));
    progress.give_up(Step::Source, Left { what: "slot".into(), command: "drop it".into() });
    assert_eq!(progress.next(stuck, at(241)), Step::Topics);
    assert_eq!(progress.next(stuck, at(360)), Step::FreeTopics);
    progress.done(Step::FreeTopics);
    assert_eq!(progress.next(stuck, at(361)), Step::Cluster);
    assert_eq!(progress.next(stuck, at(480)), Step::LetGo);
    assert_eq!(progress.left.len(), 1);
}

#[test]
fn a_source_that_was_never_tried_is_tried_however_late_it_is() {
    let progress = Progress::new(at(0));
    assert_eq!(progress.next(NOTHING, at(10_000)), Step::Source);
}
