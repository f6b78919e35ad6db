//! What keeps a table small, and what it must not lose.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;

use super::foreign::{foreign, put};
use super::*;
use crate::table::Clock;
use crate::table::maintain::tombstones::{since, since_checkpoint};
use crate::table::maintain::{Job, vacuum};
use crate::table::parquet_file::ParquetFile;

/// A table of as many files as there are `commits`, each of which creates two rows and changes one of the commit before.
async fn grown(fixture: &mut Fixture, commits: i64) -> (KeyedTable, BTreeMap<i64, Option<String>>) {
    let mut table = fixture.open().await;
    let mut rows = BTreeMap::new();
    for commit in 0..commits {
        let (first, second) = (2 * commit, 2 * commit + 1);
        let mut events = vec![(Op::Create, first, Some("new")), (Op::Create, second, Some("new"))];
        rows.extend([(first, Some("new".to_owned())), (second, Some("new".to_owned()))]);
        if commit > 0 {
            events.push((Op::Update, first - 1, Some("changed")));
            rows.insert(first - 1, Some("changed".to_owned()));
        }
        fixture.apply(&mut table, &events).await;
    }
    (table, rows)
}

/// Runs one job that is due.
async fn run(table: &mut KeyedTable, job: Job, now: Timestamp) -> Maintained {
    let work = table.maintenance(now).unwrap();
    assert_eq!(work.job(), job);
    let done = work.run().await;
    table.finish(done, now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_small_files_become_one_and_no_row_is_lost() {
    let mut fixture = Fixture::new();
    let (mut table, rows) = grown(&mut fixture, 16).await;
    let maintained = run(&mut table, Job::Compaction, Timestamp::now()).await;
    assert_eq!((maintained.removed, maintained.written), (16, 1));
    assert_eq!(table.files(), 1);
    assert_eq!(contents(&table).await, rows);
    assert_eq!(contents(&fixture.open().await).await, rows);
    assert!(table.maintenance(Timestamp::now()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_deleted_while_files_are_written_anew_stay_deleted() {
    for cluster_by in [vec![], vec!["text".to_owned(), "id".to_owned()]] {
        let mut fixture = Fixture::new();
        fixture.spec.cluster_by = cluster_by;
        let (mut table, mut rows) = grown(&mut fixture, 16).await;
        let work = table.maintenance(Timestamp::now()).unwrap();
        fixture
            .apply(&mut table, &[(Op::Delete, 3, None), (Op::Update, 8, Some("later")), (Op::Delete, 30, None)])
            .await;
        let done = work.run().await;
        fixture.apply(&mut table, &[(Op::Delete, 4, None), (Op::Delete, 0, None)]).await;
        table.finish(done, Timestamp::now()).await.unwrap();
        for gone in [0, 3, 4, 30] {
            rows.remove(&gone);
        }
        rows.insert(8, Some("later".to_owned()));
        assert_eq!(contents(&table).await, rows);
        fixture.apply(&mut table, &[(Op::Update, 9, Some("last"))]).await;
        rows.insert(9, Some("last".to_owned()));
        assert_eq!(contents(&fixture.open().await).await, rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_there_twice_stop_the_table_when_they_come_together() {
    let mut fixture = Fixture::new();
    let (mut table, _) = grown(&mut fixture, 16).await;
    // The number of rows stays the same, so the log does not show it.
    let of_two_rows = table.state.files.iter().map(|(_, file)| file).filter(|file| file.live_rows() == 2);
    let alike: Vec<_> = of_two_rows.cloned().collect();
    let (lost, twice) = (&alike[0], &alike[1].add);
    let mut entry = foreign(&table, "OPTIMIZE");
    entry.removes = vec![lost.remove_action(&table.context.removed_at(), false, false)];
    entry.adds = vec![log::Add { path: "copy.parquet".to_owned(), data_change: false, ..twice.clone() }];
    std::fs::copy(fixture.directory.path().join(&twice.path), fixture.directory.path().join("copy.parquet")).unwrap();
    put(&table, entry).await;
    fixture.apply(&mut table, &[(Op::Create, 1000, Some("new"))]).await;
    let done = table.maintenance(Timestamp::now()).unwrap().run().await;
    let refused = table.finish(done, Timestamp::now()).await.unwrap_err();
    assert!(refused.to_string().contains("have the same key"), "{refused}");
    assert_eq!(refused.kind(), ErrorKind::Damaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_gives_way_to_the_truncate_that_came_first() {
    let mut fixture = Fixture::new();
    let (mut table, _) = grown(&mut fixture, 16).await;
    let done = table.maintenance(Timestamp::now()).unwrap().run().await;
    fixture.apply(&mut table, &[(Op::Truncate, 0, None)]).await;
    let maintained = table.finish(done, Timestamp::now()).await.unwrap();
    assert_eq!((maintained.removed, maintained.written, table.rows()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_log_was_cleaned_and_files_vacuumed_is_what_it_was() {
    let mut fixture = Fixture::new();
    fixture.spec.maintenance.history = Duration::from_millis(1);
    let (mut table, rows) = grown(&mut fixture, 16).await;
    // Everything that was written until then is older than the history.
    let later = || Timestamp::now() + SignedDuration::from_secs(1);
    let maintained = table.maintain(later()).await.unwrap();
    let jobs: Vec<_> = maintained.iter().map(|maintained| maintained.job).collect();
    assert_eq!(jobs, [Job::Compaction, Job::Checkpoint, Job::LogCleanup, Job::Vacuum]);
    assert_eq!(maintained[3].removed, 16 + 15, "every data file and deletion vector but those of the last version");
    let again = table.maintain(later()).await.unwrap();
    assert!(again.iter().all(|maintained| maintained.job != Job::Vacuum || maintained.removed == 0));
    let reopened = fixture.open().await;
    assert_eq!(contents(&reopened).await, rows);
    assert_eq!(reopened.progress(), table.progress());
    let log = std::fs::read_dir(fixture.directory.path().join("_delta_log")).unwrap().count();
    assert!(log <= 3, "the last version, its checkpoint and _last_checkpoint: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_history_needs_is_removed() {
    let mut fixture = Fixture::new();
    let (mut table, _) = grown(&mut fixture, 16).await;
    let maintained = table.maintain(Timestamp::now()).await.unwrap();
    assert!(
        maintained
            .iter()
            .filter(|maintained| maintained.job != Job::Compaction)
            .all(|maintained| maintained.removed == 0)
    );
}

/// The clean-up runs beside a vacuum, and may take the checkpoint that it is about to read.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_history_needs_is_known_without_a_checkpoint_that_is_gone_meanwhile() {
    let mut fixture = Fixture::new();
    // So that every file leaves a tombstone.
    fixture.spec.maintenance.history = Duration::from_millis(1);
    let (mut table, _) = grown(&mut fixture, 16).await;
    run(&mut table, Job::Compaction, Timestamp::now()).await;
    let gone = Path::from("_delta_log/00000000000000000010.checkpoint.parquet");
    let (store, partition_values) = (Arc::clone(&table.context.store), log::PartitionValues::new());
    let checkpoint = ParquetFile { store, path: gone, size: 1000, partition_values, bytes: None };
    let found = since_checkpoint(&table.context, Some((10, checkpoint)), table.version(), 1).await.unwrap();
    assert_eq!(found, since(&table.context, table.version(), 1).await.unwrap());
    assert!(found.len() >= 16, "{found:?}");
}

/// When the log says that files of a version were removed, milliseconds since the epoch.
async fn removed_at(table: &KeyedTable, version: u64) -> Vec<Option<i64>> {
    let entry = table.context.log.read(version).await.unwrap().unwrap();
    entry.removes.iter().map(|remove| remove.deletion_timestamp).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_the_table_only_briefly_leaves_no_tombstone_to_be_carried_on() {
    let mut fixture = Fixture::new();
    let hours = Arc::new(AtomicI64::new(0));
    let time = |hours: i64| Timestamp::from_second(1_700_000_000 + 3600 * hours).unwrap();
    let clock = Arc::clone(&hours);
    fixture.spec.clock = Clock::new(move || time(clock.load(Ordering::Relaxed)));
    let mut table = fixture.open().await;
    let ids = || 0..10;
    fixture.apply(&mut table, &ids().map(|id| (Op::Create, id, Some("x"))).collect::<Vec<_>>()).await;
    let mut change = async |table: &mut KeyedTable, events: &[(Op, i64, Option<&str>)], hours_later| {
        hours.fetch_add(hours_later, Ordering::Relaxed);
        let version = fixture.apply(table, events).await.version;
        removed_at(table, version).await
    };
    let none = Some(0);
    let after_hours = |hours| Some(time(hours).as_millisecond());
    assert_eq!(change(&mut table, &[(Op::Delete, 0, None)], 2).await, [none], "only a vector goes, and there was none");
    assert_eq!(change(&mut table, &[(Op::Delete, 1, None)], 1).await, [none], "the vector was new");
    assert_eq!(change(&mut table, &[(Op::Delete, 2, None)], 2).await, [after_hours(5)], "the vector was old");
    let all: Vec<_> = (3..10).map(|id| (Op::Delete, id, None)).collect();
    assert_eq!(change(&mut table, &all, 0).await, [after_hours(5)], "its vector is new, but the file is old");
    change(&mut table, &[(Op::Create, 11, Some("x"))], 0).await;
    assert_eq!(change(&mut table, &[(Op::Delete, 11, None)], 1).await, [none], "the file was new");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_runs_are_used_again_and_those_of_files_that_are_gone_are_removed() {
    let mut fixture = Fixture::new();
    let index = tempfile::tempdir().unwrap();
    fixture.spec.index_dir = Some(index.path().to_owned());
    let mut table = fixture.open().await;
    let events: Vec<_> = (0..10_000).map(|id| (Op::Create, id, Some("x"))).collect();
    fixture.apply(&mut table, &events).await;
    let directory = std::fs::read_dir(index.path()).unwrap().next().unwrap().unwrap().path();
    let run = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let written = std::fs::metadata(&run).unwrap().modified().unwrap();
    std::fs::write(directory.join("stray.keys"), "").unwrap();
    let mut table = fixture.open().await;
    assert_eq!(std::fs::metadata(&run).unwrap().modified().unwrap(), written, "it was not made again");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    fixture.apply(&mut table, &[(Op::Update, 9_999, Some("y")), (Op::Delete, 5, None)]).await;
    assert_eq!(table.rows(), 9_999);

    std::fs::write(&run, "damaged").unwrap();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Delete, 7, None)]).await;
    assert_eq!(table.rows(), 9_998);
    assert_eq!(contents(&fixture.open().await).await.len(), 9_998);
}

/// The table's folder is gone, and no other can be made there.
fn lose_folder(fixture: &Fixture) {
    std::fs::remove_dir_all(fixture.directory.path()).unwrap();
    std::fs::write(fixture.directory.path(), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_cannot_be_written_is_not_said_to_be_read() {
    let mut fixture = Fixture::new();
    let (mut table, _) = grown(&mut fixture, 16).await;
    let compaction = table.maintenance(Timestamp::now()).unwrap();
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 1000, Some("x"))]);
    lose_folder(&fixture);
    // What it reads is still remembered.
    let compacted = table.finish(compaction.run().await, Timestamp::now()).await.map(drop);
    let committed = table.commit(&folded, &progress).await.map(drop);
    for error in [compacted.unwrap_err(), committed.unwrap_err()] {
        let text = error.to_string();
        assert!(matches!(error, TableError::WriteDataFile { .. }) && error.is_transient(), "{error:?}");
        assert!(
            text.starts_with("cannot write the data file part-") && text.contains("volume that has room"),
            "{text}"
        );
    }
}

/// A table with a data file whose keys are on the disk, so that opening it does not read the file.
async fn indexed(fixture: &mut Fixture, index: &TempDir) -> (KeyedTable, String) {
    fixture.spec.index_dir = Some(index.path().to_owned());
    fixture.spec.index_memory_rows = 0;
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a"))]).await;
    let path = table.state.files.iter().next().unwrap().1.add.path.clone();
    (table, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_not_opened_without_a_data_file_that_somebody_removed() {
    let (mut fixture, index) = (Fixture::new(), tempfile::tempdir().unwrap());
    let (_, path) = indexed(&mut fixture, &index).await;
    std::fs::remove_file(fixture.directory.path().join(&path)).unwrap();
    let error = KeyedTable::open(&fixture.spec).await.err().unwrap();
    assert!(matches!(&error, TableError::MissingFile { path: missing, .. } if *missing == path), "{error}");
    assert!(error.to_string().contains("tributary.dev/resync"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_notices_a_data_file_that_somebody_removed_and_removes_nothing_then() {
    let (mut fixture, index) = (Fixture::new(), tempfile::tempdir().unwrap());
    fixture.spec.maintenance.history = Duration::from_millis(1);
    let (mut table, path) = indexed(&mut fixture, &index).await;
    let stray = fixture.directory.path().join("stray.parquet");
    std::fs::write(&stray, "").unwrap();
    std::fs::remove_file(fixture.directory.path().join(&path)).unwrap();
    let later = Timestamp::now() + SignedDuration::from_secs(1);
    let error = table.maintain(later).await.unwrap_err();
    assert!(matches!(&error, TableError::MissingFile { path: missing, .. } if *missing == path), "{error}");
    assert!(stray.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_does_not_miss_a_data_file_that_has_left_the_table_since_it_began() {
    let (mut fixture, index) = (Fixture::new(), tempfile::tempdir().unwrap());
    let (mut table, path) = indexed(&mut fixture, &index).await;
    let (now, version, files) = (Timestamp::now(), table.version(), table.state.files.clone());
    fixture.apply(&mut table, &[(Op::Delete, 1, None)]).await;
    std::fs::remove_file(fixture.directory.path().join(&path)).unwrap();
    assert_eq!(vacuum::run(&table.context, now, version, &files).await.unwrap(), 0);
}
