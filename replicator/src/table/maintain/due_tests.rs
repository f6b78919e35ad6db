//! When what is due.

use std::time::Duration;

use super::*;
use crate::change::KeyHash;
use crate::table::TableSpec;
use crate::table::index::IndexDirectory;
use crate::table::log::{Add, PartitionValues};

const TARGET: u64 = 128 << 20;
const HOUR: Duration = Duration::from_hours(1);

/// A file of `bytes` with 100 rows, of which so many are deleted.
fn file(partition: &str, number: usize, bytes: u64, deleted: u64) -> DataFile {
    let path = format!("{partition}/{number}");
    let spec = TableSpec::new("memory:///".parse().unwrap(), "t");
    let index = IndexDirectory::open(&spec, "").unwrap();
    let keys = index.write(&path, (0..100).map(KeyHash::from_bits).zip(0..).collect()).unwrap();
    let partition_values = PartitionValues::from([("p".to_owned(), Some(partition.to_owned()))]);
    let add = Add { path, partition_values, size: bytes as i64, ..Add::default() };
    DataFile {
        add,
        rows: 100,
        deleted: (0..deleted).collect(),
        vector_bytes: 0,
        vector_since: None,
        keys: Arc::new(keys),
    }
}

fn files(all: impl IntoIterator<Item = DataFile>) -> DataFiles {
    let mut files = DataFiles::default();
    for file in all {
        files.put(file);
    }
    files
}

fn facts(files: &DataFiles, version: u64, minutes: i64) -> Facts<'_> {
    let now = Timestamp::from_second(60 * minutes).unwrap();
    Facts { now, version, files, target_bytes: TARGET, history: 7 * 24 * HOUR, allowed: true }
}

/// What is written anew first, however long files have been worn.
fn compaction(files: &DataFiles, target: u64) -> Option<Vec<Arc<DataFile>>> {
    let all = || files.iter().map(|(_, file)| file);
    full_tiers(all(), target).into_iter().chain(most_worn(all(), target)).next()
}

fn paths(sources: &[Arc<DataFile>]) -> Vec<&str> {
    sources.iter().map(|file| file.add.path.as_str()).collect()
}

#[test]
fn a_full_tier_is_compacted_and_partitions_are_never_mixed() {
    let few = (0..15).map(|number| file("a", number, 3000, 0));
    let others = (0..15).map(|number| file("b", number, 3000, 0));
    assert!(compaction(&files(few.chain(others)), TARGET).is_none());
    let full = (0..16).map(|number| file("a", number, 3000, 0)).chain([file("b", 0, 3000, 0)]);
    let files = files(full);
    let due = compaction(&files, TARGET).unwrap();
    assert_eq!(due.len(), 16);
    assert!(paths(&due).iter().all(|path| path.starts_with("a/")));
}

#[test]
fn files_of_another_tier_wait_for_their_like() {
    let small = (0..8).map(|number| file("a", number, 3000, 0));
    let larger = (8..16).map(|number| file("a", number, 300_000, 0));
    assert!(compaction(&files(small.chain(larger)), TARGET).is_none());
}

#[test]
fn no_more_is_written_anew_than_makes_up_one_file() {
    let large = (0..16).map(|number| file("a", number, 50 << 20, 0));
    assert_eq!(compaction(&files(large), TARGET).unwrap().len(), 3);
}

#[test]
fn a_file_with_many_deleted_rows_is_written_anew_alone_also_when_it_is_large() {
    let files = files([file("a", 0, TARGET, 31), file("a", 1, TARGET, 29)]);
    assert_eq!(paths(&compaction(&files, TARGET).unwrap()), ["a/0"]);
}

#[test]
fn a_file_is_written_anew_when_its_deletion_vectors_have_cost_as_much_as_that() {
    let with_vectors = |number, bytes, vector_bytes| DataFile { vector_bytes, ..file("a", number, bytes, 1) };
    let mebibyte = 1 << 20;
    assert!(compaction(&files([with_vectors(0, 2 * mebibyte, mebibyte)]), TARGET).is_none());
    let due =
        compaction(&files([with_vectors(0, 2 * mebibyte, mebibyte), with_vectors(1, mebibyte, mebibyte)]), TARGET);
    assert_eq!(paths(&due.unwrap()), ["a/1"]);
    assert!(compaction(&files([with_vectors(0, 1000, 2000)]), TARGET).is_none(), "requests cost more than bytes");
}

#[test]
fn small_files_do_not_wait_for_a_large_one_and_neither_is_replaced_twice() {
    let mut schedule = Schedule::new(0);
    let large = || [file("a", 100, TARGET, 50), file("a", 101, TARGET, 40)];
    let all = files((0..16).map(|number| file("a", number, 3000, 0)).chain(large()));
    schedule.due(&facts(&all, 0, 0));
    let next = |schedule: &mut Schedule| {
        let Due::Compaction(sources) = schedule.due(&facts(&all, 0, 1))? else { return None };
        let started = paths(&sources).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let due = Due::Compaction(sources);
        schedule.started(&due, due.lane(TARGET));
        Some(started)
    };
    assert_eq!(next(&mut schedule).unwrap().len(), 16);
    assert_eq!(next(&mut schedule).unwrap(), ["a/100"]);
    assert!(next(&mut schedule).is_none(), "one in each lane");
    schedule.finished(Lane::Short, Timestamp::UNIX_EPOCH, true, HOUR);
    assert_eq!(next(&mut schedule).unwrap().len(), 16, "the table has them still");
    schedule.finished(Lane::Long, Timestamp::UNIX_EPOCH, true, HOUR);
    assert_eq!(next(&mut schedule).unwrap(), ["a/100"]);
}

#[test]
fn a_worn_file_waits_a_minute_for_it_may_soon_be_empty() {
    let mut schedule = Schedule::new(0);
    let (worn, mended) = (files([file("a", 0, TARGET, 31)]), files([file("a", 0, TARGET, 29)]));
    for minute in 0..5 {
        assert!(schedule.due(&facts(&worn, 0, 2 * minute)).is_none());
        assert!(schedule.due(&facts(&mended, 0, 2 * minute + 1)).is_none());
    }
    assert!(schedule.due(&facts(&worn, 0, 8)).is_none());
    assert!(matches!(schedule.due(&facts(&worn, 0, 9)), Some(Due::Compaction(_))));
}

#[test]
fn a_vacuum_begins_when_no_file_is_being_written_and_small_files_do_not_wait_for_it() {
    let mut schedule = Schedule::new(0);
    let small = files((0..16).map(|number| file("a", number, 3000, 0)));
    schedule.due(&facts(&small, 0, 0));
    let begin = |schedule: &mut Schedule, minutes| {
        let due = schedule.due(&facts(&small, 0, minutes))?;
        let lane = due.lane(TARGET);
        schedule.started(&due, lane);
        Some((due.job(), lane))
    };
    assert_eq!(begin(&mut schedule, 5), Some((Job::Compaction, Lane::Short)));
    assert_eq!(begin(&mut schedule, 10), Some((Job::LogCleanup, Lane::Log)));
    assert_eq!(begin(&mut schedule, 10), None, "a vacuum waits");
    schedule.finished(Lane::Short, Timestamp::UNIX_EPOCH, true, HOUR);
    assert_eq!(begin(&mut schedule, 10), Some((Job::Vacuum, Lane::Long)));
    assert_eq!(begin(&mut schedule, 10), Some((Job::Compaction, Lane::Short)));
}

#[test]
fn small_files_do_not_wait_for_a_checkpoint() {
    let mut schedule = Schedule::new(0);
    let small = files((0..16).map(|number| file("a", number, 3000, 0)));
    let due = schedule.due(&facts(&small, 100, 0)).unwrap();
    assert!(matches!(due, Due::Checkpoint));
    schedule.started(&due, due.lane(TARGET));
    assert!(matches!(schedule.due(&facts(&small, 100, 0)), Some(Due::Compaction(_))));
}

#[test]
fn a_checkpoint_is_due_after_a_hundred_versions_and_later_when_it_is_large() {
    let (mut schedule, none) = (Schedule::new(1), DataFiles::default());
    assert!(schedule.due(&facts(&none, 99, 0)).is_none());
    assert!(matches!(schedule.due(&facts(&none, 100, 0)), Some(Due::Checkpoint)));
    schedule.started(&Due::Checkpoint, Lane::Log);
    assert!(schedule.due(&facts(&none, 100, 0)).is_none(), "one thing at a time");
    schedule.checkpointed(100, 2 << 20);
    schedule.finished(Lane::Log, Timestamp::UNIX_EPOCH, true, HOUR);
    assert!(schedule.due(&facts(&none, 200, 0)).is_none(), "the log has not grown by half of it");
    assert!(matches!(schedule.due(&facts(&none, 356, 0)), Some(Due::Checkpoint)));
    schedule.checkpointed(356, 1 << 30);
    assert!(matches!(schedule.due(&facts(&none, 1356, 0)), Some(Due::Checkpoint)), "readers have to list it");
}

#[test]
fn the_log_is_cleaned_every_hour_and_the_table_vacuumed_once_a_day_and_soon_after_the_start() {
    let (mut schedule, none) = (Schedule::new(0), DataFiles::default());
    assert!(schedule.due(&facts(&none, 0, 0)).is_none());
    let finish = |schedule: &mut Schedule, due: Due, minutes: i64| {
        let now = Timestamp::from_second(60 * minutes).unwrap();
        let lane = due.lane(TARGET);
        schedule.started(&due, lane);
        schedule.finished(lane, now, true, 7 * 24 * HOUR);
    };
    assert!(matches!(schedule.due(&facts(&none, 0, 10)), Some(Due::LogCleanup)));
    finish(&mut schedule, Due::LogCleanup, 10);
    assert!(matches!(schedule.due(&facts(&none, 0, 11)), Some(Due::Vacuum)));
    finish(&mut schedule, Due::Vacuum, 11);
    assert!(schedule.due(&facts(&none, 0, 69)).is_none());
    assert!(matches!(schedule.due(&facts(&none, 0, 70)), Some(Due::LogCleanup)));
    finish(&mut schedule, Due::LogCleanup, 24 * 60);
    assert!(matches!(schedule.due(&facts(&none, 0, 24 * 60 + 11)), Some(Due::Vacuum)));
}

#[test]
fn outside_of_the_windows_only_the_log_is_looked_after() {
    let mut schedule = Schedule::new(0);
    let files = files((0..16).map(|number| file("a", number, 3000, 0)));
    schedule.due(&facts(&files, 0, 0));
    let outside = |minutes| Facts { allowed: false, ..facts(&files, 0, minutes) };
    assert!(schedule.due(&outside(5)).is_none());
    assert!(matches!(schedule.due(&outside(10)), Some(Due::LogCleanup)));
    assert!(matches!(schedule.due(&facts(&files, 0, 5)), Some(Due::Compaction(_))));
}

#[test]
fn after_a_failure_nothing_is_tried_for_a_minute() {
    let mut schedule = Schedule::new(0);
    let files = files((0..16).map(|number| file("a", number, 3000, 0)));
    let now = Timestamp::from_second(60).unwrap();
    schedule.finished(Lane::Short, now, false, HOUR);
    assert!(schedule.due(&facts(&files, 0, 1)).is_none());
    assert!(schedule.due(&facts(&files, 0, 2)).is_some());
}
