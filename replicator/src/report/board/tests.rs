//! What the board says of its tables, and what the metrics do.

use std::time::Duration;

use super::*;
use crate::change::{OpCounts, Progress};
use crate::table::{Committed, Stages};

fn now() -> Timestamp {
    Timestamp::from_second(1000).unwrap()
}

fn board() -> Board {
    let board = Board::new(Budget::new(256));
    let users = board.table("public.users", "s3://lake/users");
    users.assigned(&PartitionProgress::new(), &[PartitionRange { partition: 0, next: 0, end: 10 }]);
    users.received(7, 700);
    let progress = PartitionProgress::from([(0, Progress { next_offset: 7, ..Progress::default() })]);
    let stages = Stages { write: Duration::from_millis(30), ..Stages::default() };
    users.committed(
        &CommitReport {
            committed: &Committed {
                version: 2,
                rows: 5,
                files: 1,
                files_written: 2,
                bytes_written: 900,
                conflicts: 1,
                stages,
            },
            counts: OpCounts { reads: 4, updates: 3, ..OpCounts::default() },
            progress: &progress,
            snapshot_completed: true,
            oldest_change_ts_ms: Some(998_800),
            oldest_message_ts_ms: Some(999_200),
            newest_source_ts_ms: Some(999_000),
            duration: Duration::from_millis(40),
            why: "interval",
        },
        now(),
    );
    users.follows_copy(true);
    users.source_at(0x10_0100);
    users.ends([(0, 7)]);
    users.tick(Tick { lsn: 0x10_0000, ts_ms: 999_000 });
    users.ends([(0, 10)]);
    board.tick(Tick { lsn: 0x10_0000, ts_ms: 999_000 }, 999_080);
    users.skipped(2);
    users.retrying(Policy::TryAgain, "S3 answers 503");
    users.goes_on();
    users.stats(&TableStats { files: 3, small_files: 2, index_bytes: 70, ..TableStats::default() });
    let share = board.shared.budget.share();
    let held = share.hold(17);
    users.watch_memory(share);
    std::mem::forget(held);
    let orders = board.table("public.orders", "s3://lake/orders");
    orders.cannot_decode();
    orders.restarting("asked for");
    orders.internal_error("internal error");
    orders.stopped(Policy::Stop, "message 4 cannot be decoded");
    board
}

#[test]
fn tables_are_listed_by_name() {
    let tables = board().tables(now());
    let phases: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.phase)).collect();
    assert_eq!(phases, [("public.orders", Phase::Stopped), ("public.users", Phase::Streaming)]);
}

#[test]
fn a_table_keeps_its_place() {
    let board = board();
    assert_eq!(board.table("public.users", "elsewhere").entry().knowledge.state(now()).target, "s3://lake/users");
    assert_eq!(board.tables(now()).len(), 2);
}

#[test]
fn the_metrics_say_what_happened() {
    let text = board().metrics(now()).unwrap();
    for line in [
        r#"tributary_events_total{table="public.users",op="read"} 4"#,
        r#"tributary_events_total{table="public.users",op="update"} 3"#,
        r#"tributary_received_messages_total{table="public.users"} 7"#,
        r#"tributary_received_bytes_total{table="public.users"} 700"#,
        r#"tributary_commits_total{table="public.users"} 1"#,
        r#"tributary_commit_duration_seconds_bucket{le="0.05",table="public.users"} 1"#,
        r#"tributary_freshness_seconds_bucket{le="1.0",table="public.users"} 0"#,
        r#"tributary_freshness_seconds_bucket{le="1.5",table="public.users"} 1"#,
        r#"tributary_written_bytes_total{table="public.users"} 900"#,
        r#"tributary_lag_messages{table="public.users"} 3"#,
        r#"tributary_lag_bytes{table="public.users"} 256"#,
        r#"tributary_commit_to_kafka_seconds_bucket{le="0.05"} 0"#,
        r#"tributary_commit_to_kafka_seconds_bucket{le="0.1"} 1"#,
        r#"tributary_kafka_to_delta_seconds_bucket{le="0.5",table="public.users"} 0"#,
        r#"tributary_kafka_to_delta_seconds_bucket{le="1.0",table="public.users"} 1"#,
        r#"tributary_lag_seconds{table="public.users"} 1.0"#,
        r#"tributary_rows{table="public.users"} 5"#,
        r#"tributary_table_up{table="public.users"} 1"#,
        r#"tributary_table_failed{table="public.users"} 0"#,
        r#"tributary_table_failed{table="public.orders"} 1"#,
        r#"tributary_commit_stage_seconds_total{table="public.users",stage="write"} 0.03"#,
        r#"tributary_last_commit_timestamp_seconds{table="public.users"} 1000.0"#,
        r#"tributary_conflicts_total{table="public.users"} 1"#,
        r#"tributary_retries_total{table="public.users"} 1"#,
        r#"tributary_skipped_events_total{table="public.users"} 2"#,
        r#"tributary_errors_total{table="public.orders",policy="stop"} 2"#,
        r#"tributary_internal_errors_total{table="public.orders"} 1"#,
        r#"tributary_decode_failures_total{table="public.orders"} 1"#,
        r#"tributary_restarts_total{table="public.orders"} 1"#,
        r#"tributary_held_bytes{table="public.users"} 17"#,
        r#"tributary_files{table="public.users"} 3"#,
        r#"tributary_small_files{table="public.users"} 2"#,
        r#"tributary_index_bytes{table="public.users"} 70"#,
        "process_resident_memory_bytes ",
        "tributary_buffered_bytes_limit 256",
        "tributary_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
