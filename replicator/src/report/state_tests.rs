//! What the state of a table says after what happened to it.

use std::sync::OnceLock;

use super::*;
use crate::change::{Position, Progress};
use crate::consume::Tick;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn progress(next_offset: i64, lsn: Option<u64>) -> PartitionProgress {
    let position = lsn.map(|lsn| Position { commit_lsn: 1, lsn });
    PartitionProgress::from([(0, Progress { next_offset, position, message_ts_ms: Some(0), ..Progress::default() })])
}

/// A tick of this second; the log grows by a byte a millisecond.
fn tick(second: i64) -> Tick {
    Tick { lsn: (second * 1000).cast_unsigned(), ts_ms: second * 1000 }
}

fn range(next: i64, end: i64) -> [PartitionRange; 1] {
    [PartitionRange { partition: 0, next, end }]
}

/// What the table says of each commit here.
fn committed() -> &'static Committed {
    static COMMITTED: OnceLock<Committed> = OnceLock::new();
    COMMITTED.get_or_init(|| Committed { version: 3, rows: 40, ..Committed::default() })
}

fn commit(progress: &PartitionProgress, newest_second: i64) -> CommitReport<'_> {
    CommitReport {
        committed: committed(),
        counts: OpCounts { updates: 1, ..OpCounts::default() },
        progress,
        snapshot_completed: false,
        oldest_change_ts_ms: None,
        oldest_message_ts_ms: None,
        newest_source_ts_ms: Some(newest_second * 1000),
        duration: Duration::ZERO,
        why: "interval",
    }
}

#[test]
fn a_new_table_waits_then_snapshots_then_streams() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    assert_eq!(table.state(at(0)).phase, Phase::Waiting);
    table.set_phase(Phase::Waiting, "topic does not exist yet");
    assert_eq!(table.state(at(0)).message.as_deref(), Some("topic does not exist yet"));

    table.assigned(&PartitionProgress::new(), &range(0, 200));
    let state = table.state(at(0));
    assert_eq!((state.phase, state.snapshot_percent, state.lag_messages), (Phase::Snapshotting, Some(0), Some(200)));
    assert_eq!((state.message, state.lag_seconds), (None, None));

    table.committed(&commit(&progress(80, None), 50), at(60));
    let state = table.state(at(61));
    assert_eq!((state.phase, state.snapshot_percent), (Phase::Snapshotting, Some(40)));
    assert_eq!((state.rows, state.delta_version, state.commits), (Some(40), Some(3), 1));
    table.maintained(4);
    let state = table.state(at(61));
    assert_eq!((state.rows, state.delta_version, state.commits), (Some(40), Some(4), 1));
    assert_eq!((state.last_commit, state.lag_seconds), (Some(at(60)), Some(11.0)));

    table.committed(&CommitReport { snapshot_completed: true, ..commit(&progress(200, None), 62) }, at(63));
    assert_eq!((table.state(at(63)).phase, table.state(at(63)).snapshot_percent), (Phase::Streaming, None));

    table.committed(&commit(&progress(201, Some(0x16B_3748)), 64), at(65));
    assert_eq!(table.state(at(65)).position.as_deref(), Some("0/16B3748"));
}

#[test]
fn an_added_table_that_nobody_changes_streams_when_a_tick_finds_all_of_it_applied() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&PartitionProgress::new(), &range(0, 200));
    table.committed(&commit(&progress(80, None), 50), at(60));
    table.tick(tick(61));
    assert_eq!(table.state(at(61)).phase, Phase::Snapshotting, "more is in the topic");
    table.committed(&commit(&progress(200, None), 62), at(63));
    assert_eq!(table.state(at(63)).phase, Phase::Snapshotting, "more may come");
    table.tick(tick(66));
    assert_eq!((table.state(at(67)).phase, table.state(at(67)).lag_seconds), (Phase::Streaming, Some(1.0)));

    table.set_phase(Phase::Stopped, "no");
    table.tick(tick(71));
    assert_eq!(table.state(at(72)).phase, Phase::Stopped);
}

#[test]
fn a_quiet_table_whose_snapshot_is_over_streams_after_a_restart() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(200, None), &range(200, 200));
    assert_eq!(table.state(at(0)).phase, Phase::Streaming);
}

#[test]
fn a_restart_within_the_snapshot_goes_on_snapshotting() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(100, None), &range(100, 200));
    assert_eq!((table.state(at(0)).phase, table.state(at(0)).snapshot_percent), (Phase::Snapshotting, Some(50)));
}

#[test]
fn ticks_keep_the_lag_of_a_quiet_table_low() {
    let mut table = Knowledge::new("t", "t");
    let applied = progress(10, Some(1));
    table.assigned(&applied, &range(10, 10));
    table.committed(&commit(&applied, 100), at(101));
    assert_eq!(table.state(at(400)).lag_seconds, Some(300.0));
    table.tick(tick(398));
    assert_eq!(table.state(at(400)).lag_seconds, Some(2.0));
}

#[test]
fn a_tick_says_nothing_while_messages_are_outstanding() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(10, Some(1)), &range(10, 12));
    table.committed(&commit(&progress(11, Some(1)), 100), at(101));
    table.tick(tick(398));
    let state = table.state(at(400));
    assert_eq!((state.lag_seconds, state.lag_messages), (Some(300.0), Some(1)));
}

#[test]
fn a_tick_says_nothing_of_a_table_that_starts_again_before_its_topic_is_read() {
    let mut table = Knowledge::new("public.users", "u");
    table.assigned(&progress(10, Some(1)), &range(10, 10));
    table.tick(tick(390));
    table.restarts();
    table.tick(tick(398));
    assert_eq!(table.state(at(400)).lag_seconds, Some(10.0));
    table.assigned(&progress(10, Some(1)), &range(10, 12));
    table.tick(tick(398));
    assert_eq!(table.state(at(400)).lag_seconds, Some(10.0));
}

#[test]
fn a_tick_says_nothing_of_a_table_with_other_rows_before_its_topic_is_read() {
    let mut table = Knowledge::new("public.users", "u");
    table.assigned(&progress(10, Some(1)), &range(10, 10));
    table.renewing("asked for", &TableState::default());
    table.renewed();
    table.follows_copy(true);
    table.tick(tick(398));
    assert_eq!(table.state(at(400)).lag_seconds, None);
    table.assigned(&progress(10, Some(1)), &range(10, 10));
    table.tick(tick(398));
    assert_eq!(table.state(at(400)).lag_seconds, Some(2.0));
}

#[test]
fn a_tick_says_nothing_of_a_topic_that_was_not_found_yet() {
    let mut table = Knowledge::new("t", "t");
    table.tick(tick(398));
    table.assigned(&PartitionProgress::new(), &range(0, 12));
    assert_eq!(table.state(at(400)).lag_seconds, None);
}

#[test]
fn without_ticks_a_table_that_has_everything_is_not_behind() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(10, Some(1)), &range(10, 10));
    table.no_ticks(at(400));
    assert_eq!(table.state(at(401)).lag_seconds, Some(1.0));
    table.ends([(0, 11)]);
    table.no_ticks(at(402));
    assert_eq!(table.state(at(403)).lag_seconds, Some(3.0), "one is missing");
}

#[test]
fn a_connector_that_stands_still_or_is_far_behind_shows_in_a_quiet_table() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(10, Some(1)), &range(10, 10));
    table.tick(tick(390));
    assert_eq!(table.state(at(500)).lag_seconds, Some(110.0), "no tick has come since");
    table.tick(tick(395));
    assert_eq!(table.state(at(500)).lag_seconds, Some(105.0), "ticks are as old as what comes with them");
}

#[test]
fn the_lag_in_bytes_is_known_as_long_as_the_source_is_seen_and_the_table_is_complete() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(10, Some(7_000)), &range(10, 10));
    table.source_at(10_000);
    table.tick(tick(8));
    assert_eq!(table.state(at(10)).lag_bytes, Some(2_000));
    table.committed(&commit(&progress(11, Some(9_000)), 9), at(9));
    assert_eq!(table.state(at(10)).lag_bytes, Some(1_000));
    table.source_unseen(Some("no connection"));
    assert_eq!(table.state(at(10)).lag_bytes, None);
    table.source_at(10_000);
    table.copied_anew("the database is on another server");
    table.tick(tick(9));
    assert_eq!(table.state(at(10)).lag_bytes, None);
}

#[test]
fn ticks_that_cannot_be_read_are_a_warning() {
    let mut table = Knowledge::new("t", "t");
    table.ticks_unread(Some("the schema registry does not answer".into()));
    assert!(table.state(at(0)).warnings[0].ends_with("the lag is not known: the schema registry does not answer"));
    table.ticks_unread(None);
    assert_eq!(table.state(at(0)).warnings, Vec::<String>::new());
}

#[test]
fn an_empty_topic_does_not_say_that_the_table_is_complete_until_the_connector_is_heard() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&PartitionProgress::new(), &range(0, 0));
    table.no_ticks(at(400));
    assert_eq!(table.state(at(401)).lag_seconds, None);
    table.tick(tick(400));
    assert_eq!(table.state(at(401)).lag_seconds, Some(1.0));
}

#[test]
fn a_clock_that_is_ahead_at_the_source_gives_no_negative_lag() {
    let mut table = Knowledge::new("t", "t");
    table.committed(&commit(&progress(10, Some(1)), 500), at(400));
    assert_eq!(table.state(at(400)).lag_seconds, Some(0.0));
}

#[test]
fn retries_and_failures_say_why_and_a_commit_ends_a_retry() {
    let mut table = Knowledge::new("t", "t");
    let applied = progress(10, Some(1));
    table.assigned(&applied, &range(10, 20));
    table.set_phase(Phase::Retrying, "S3 answers 503");
    assert_eq!(table.state(at(0)).message.as_deref(), Some("S3 answers 503"));
    table.committed(&commit(&applied, 1), at(1));
    assert_eq!((table.state(at(1)).phase, table.state(at(1)).message), (Phase::Streaming, None));
    table.set_phase(Phase::Stopped, "cannot be decoded");
    table.applied(&applied);
    assert_eq!(table.state(at(1)).phase, Phase::Stopped);
}

#[test]
fn messages_that_change_nothing_end_a_retry_too() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(10, Some(1)), &range(10, 20));
    table.set_phase(Phase::Retrying, "the schema registry does not answer");
    table.applied(&progress(11, Some(1)));
    let state = table.state(at(1));
    assert_eq!((state.phase, state.message, state.lag_messages), (Phase::Streaming, None, Some(9)));
}

#[test]
fn a_commit_of_progress_alone_does_not_bring_a_snapshot_back_that_is_over() {
    let mut table = Knowledge::new("t", "t");
    table.assigned(&progress(200, None), &range(200, 200));
    table.committed(&CommitReport { counts: OpCounts::default(), ..commit(&progress(201, None), 1) }, at(1));
    assert_eq!(table.state(at(1)).phase, Phase::Streaming);
}

#[test]
fn the_document_has_camel_case_fields_and_leaves_out_what_is_not_known() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    let text = serde_json::to_string(&table.state(at(0))).unwrap();
    assert_eq!(
        text,
        r#"{"name":"public.users","target":"s3://lake/users","phase":"Waiting","commits":0,"message":"starting"}"#
    );
    table.assigned(&PartitionProgress::new(), &range(0, 4));
    table.warn(vec!["NULL becomes the default of column a".into()]);
    table.committed(&commit(&progress(1, None), 1), at(1));
    let json = serde_json::to_value(table.state(at(2))).unwrap();
    assert_eq!(json["snapshotPercent"], 25);
    assert_eq!(json["lagMessages"], 3);
    assert_eq!(json["lagSeconds"], 1.0);
    assert_eq!(json["deltaVersion"], 3);
    assert_eq!(json["lastCommit"], "1970-01-01T00:00:01Z");
    assert_eq!(json["warnings"][0], "NULL becomes the default of column a");
}

#[test]
fn a_copied_table_needs_no_topic_before_its_first_change_and_misses_one_that_it_has_read() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    table.applied(&progress(0, None));
    table.follows_copy(true);
    assert!(!table.no_topic("there is no topic", Some(tick(5))));
    let state = table.state(at(6));
    assert_eq!((state.phase, state.lag_seconds, state.lag_messages), (Phase::Streaming, Some(1.0), Some(0)));

    table.applied(&progress(7, None));
    assert!(table.no_topic("there is no topic", Some(tick(9))));
    let state = table.state(at(10));
    assert_eq!((state.phase, state.message.as_deref()), (Phase::Waiting, Some("there is no topic")));
    assert_eq!(state.lag_seconds, Some(5.0), "it is not known to be complete up to the later tick");
}

#[test]
fn a_copy_is_not_complete_before_the_stream_has_passed_it() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    table.copying(40, "40 of 100");
    table.tick(tick(5));
    table.follows_copy(false);
    table.assigned(&progress(3, None), &range(3, 3));
    table.tick(tick(6));
    let state = table.state(at(7));
    assert_eq!((state.phase, state.lag_seconds), (Phase::Snapshotting, None));
    table.follows_copy(true);
    table.tick(tick(6));
    assert_eq!((table.state(at(7)).phase, table.state(at(7)).lag_seconds), (Phase::Streaming, Some(1.0)));
}

#[test]
fn a_shadow_knows_of_the_ticks_that_its_table_is_told_of() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    let shadow = table.of_shadow();
    assert_eq!(shadow.delivered(), None);
    table.tick(tick(7));
    assert_eq!(shadow.delivered(), Some(7000));
}

#[test]
fn a_table_without_a_topic_waits_no_more_when_kafka_answers_again() {
    let mut table = Knowledge::new("public.users", "s3://lake/users");
    table.follows_copy(true);
    table.set_phase(Phase::Waiting, "Kafka does not answer");
    assert!(!table.no_topic("there is no topic", Some(tick(7))));
    assert_eq!((table.state(at(8)).phase, table.state(at(8)).message), (Phase::Streaming, None));
}
