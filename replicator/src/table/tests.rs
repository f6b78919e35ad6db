//! Real Delta tables in a temporary directory.

mod copied;
mod foreign;
mod maintenance;
mod shadow;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::change::{ChangeBatch, Event, Fold, Folded, Op, Position, Progress, SnapshotId, Verdict};

const SCHEMA: [(&str, DataType); 3] = [("id", DataType::Int64), ("text", DataType::Utf8), ("day", DataType::Utf8)];

struct Fixture {
    directory: TempDir,
    spec: TableSpec,
    offset: i64,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(directory.path()).unwrap();
        Self { directory, spec: TableSpec::new(url, "t"), offset: 0 }
    }

    fn source(columns: usize) -> RowSchema {
        let fields = SCHEMA[..columns].iter().map(|(name, of)| Field::new(*name, of.clone(), true));
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RowSchema { arrow, key: vec![0], warnings: vec![] }
    }

    async fn open(&self) -> KeyedTable {
        match KeyedTable::open(&self.spec).await.unwrap() {
            Some(table) => table,
            None => KeyedTable::create(&self.spec, &Self::source(3)).await.unwrap(),
        }
    }

    /// Folds events of operation, id and text; an update without text leaves it unchanged.
    fn fold(&mut self, table: &KeyedTable, events: &[(Op, i64, Option<&str>)]) -> (Folded, PartitionProgress) {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.1)));
        let texts: ArrayRef = Arc::new(events.iter().map(|event| event.2).collect::<StringArray>());
        let days: ArrayRef = Arc::new(StringArray::from_iter_values(events.iter().map(|event| day(event.1))));
        let schema = Arc::new(Self::source(3));
        let unchanged =
            events.iter().map(|(op, _, text)| *op == Op::Update && text.is_none()).collect::<BooleanBuffer>();
        let first = self.offset;
        let event = |(at, event): (usize, &(Op, i64, Option<&str>))| Event {
            offset: first + at as i64,
            op: event.0,
            position: Some(Position { commit_lsn: 1, lsn: 100 + at as u64 }),
            source_ts_ms: 7,
            message_ts_ms: Some(first + at as i64 + 1),
            transaction: None,
            moves_key: false,
            moved_key: false,
        };
        let batch = ChangeBatch {
            rows: RecordBatch::try_new(Arc::clone(&schema.arrow), vec![ids, texts, days]).unwrap(),
            schema,
            events: events.iter().enumerate().map(event).collect(),
            unchanged: vec![None, Some(unchanged), None],
        };
        self.offset += events.len() as i64;
        let columns = table.columns();
        let encoder = columns.key_encoder().unwrap();
        let mut fold = Fold::new(Arc::clone(columns.arrow()), columns.key().to_vec(), encoder);
        let snapshot = Some(SnapshotId { lsn: 90, source_ts_ms: 6 });
        let mut progress = Progress { message_ts_ms: Some(self.offset), snapshot, ..Progress::default() };
        fold.push(&batch, |event| {
            progress.advance(event);
            Verdict::Apply
        })
        .unwrap();
        (fold.take().unwrap(), PartitionProgress::from([(0, progress)]))
    }

    async fn apply(&mut self, table: &mut KeyedTable, events: &[(Op, i64, Option<&str>)]) -> Committed {
        let (folded, progress) = self.fold(table, events);
        table.commit(&folded, &progress).await.unwrap()
    }
}

fn day(id: i64) -> &'static str {
    if id % 2 == 0 { "even" } else { "odd" }
}

/// The live rows as a reader would see them: files without the rows that deletion vectors name.
async fn contents(table: &KeyedTable) -> BTreeMap<i64, Option<String>> {
    let mut rows = BTreeMap::new();
    for (_, file) in table.state.files.iter() {
        let mut at = 0;
        let columns = Arc::clone(table.columns().arrow());
        let batches = table.context.parquet_file(&file.add).columns(columns).await.unwrap();
        let batches: Vec<_> = batches.try_collect().await.unwrap();
        for batch in batches {
            let texts = batch.column(1).as_string::<i32>();
            for (id, text) in batch.column(0).as_primitive::<Int64Type>().values().iter().zip(texts) {
                if !file.deleted.contains(at) {
                    assert_eq!(rows.insert(*id, text.map(str::to_owned)), None, "key {id} twice");
                }
                at += 1;
            }
        }
    }
    assert_eq!(rows.len() as u64, table.rows(), "the table knows the number of its rows");
    rows
}

fn expect(rows: &[(i64, &str)]) -> BTreeMap<i64, Option<String>> {
    rows.iter().map(|(id, text)| (*id, Some((*text).to_owned()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_there_after_a_restart_and_the_log_says_how_far_they_go() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture
        .apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b")), (Op::Create, 3, Some("c"))])
        .await;
    fixture.apply(&mut table, &[(Op::Update, 2, Some("bb")), (Op::Delete, 3, None), (Op::Create, 4, Some("d"))]).await;
    let expected = expect(&[(1, "a"), (2, "bb"), (4, "d")]);
    assert_eq!(contents(&table).await, expected);

    let reopened = fixture.open().await;
    assert_eq!(contents(&reopened).await, expected);
    assert_eq!(reopened.version(), 2);
    assert_eq!(reopened.progress(), table.progress());
    let progress = reopened.progress()[&0];
    assert_eq!(progress.next_offset, 6);
    assert_eq!(progress.position, Some(Position { commit_lsn: 1, lsn: 102 }));
    assert_eq!(progress.source_ts_ms, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_loses_its_last_row_leaves_the_table() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]).await;
    fixture.apply(&mut table, &[(Op::Update, 1, Some("aa"))]).await;
    let report = fixture.apply(&mut table, &[(Op::Delete, 2, None)]).await;
    assert_eq!((report.rows, report.files), (1, 1));
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "aa")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_empties_the_table_in_the_commit_that_fills_it_again() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]).await;
    let report = fixture.apply(&mut table, &[(Op::Truncate, 0, None), (Op::Create, 9, Some("z"))]).await;
    assert_eq!((report.rows, report.files, report.version), (1, 1, 2));
    assert_eq!(contents(&fixture.open().await).await, expect(&[(9, "z")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_value_is_taken_from_the_stored_row() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("long")), (Op::Create, 2, Some("longer"))]).await;
    fixture.apply(&mut table, &[(Op::Update, 2, None), (Op::Update, 1, None)]).await;
    assert_eq!(contents(&table).await, expect(&[(1, "long"), (2, "longer")]));
    let (folded, progress) = fixture.fold(&table, &[(Op::Update, 77, None)]);
    let error = table.commit(&folded, &progress).await.unwrap_err();
    assert!(error.to_string().contains("column text"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writer_is_refused_and_the_table_stays_as_the_first_left_it() {
    let mut fixture = Fixture::new();
    let mut first = fixture.open().await;
    let mut second = fixture.open().await;
    let (theirs, their_progress) = fixture.fold(&second, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]);
    fixture.offset = 0;
    fixture.apply(&mut first, &[(Op::Create, 1, Some("a"))]).await;
    let error = second.commit(&theirs, &their_progress).await.unwrap_err();
    assert!(matches!(error, TableError::SecondWriter { theirs: 1, ours: 0, .. }), "{error}");
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "a")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_unknown_fate_never_lands_on_top_of_what_was_not_read() {
    let mut fixture = Fixture::new();
    let mut first = fixture.open().await;
    let mut second = fixture.open().await;
    fixture.apply(&mut first, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]).await;
    let (theirs, progress) = fixture.fold(&second, &[(Op::Create, 1, Some("a"))]);
    let (_, file) = first.state.files.iter().next().unwrap();
    let file = fixture.directory.path().join(&file.add.path);
    let hidden = fixture.directory.path().join("hidden");
    std::fs::rename(&file, &hidden).unwrap();
    second.commit(&theirs, &progress).await.unwrap_err();
    std::fs::rename(&hidden, &file).unwrap();
    let error = second.commit(&theirs, &progress).await.unwrap_err();
    assert!(matches!(error, TableError::SecondWriter { .. }), "{error}");
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "a"), (2, "b")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_somebody_made_with_the_same_progress_is_ours() {
    let mut fixture = Fixture::new();
    let mut first = fixture.open().await;
    let mut second = fixture.open().await;
    let (folded, progress) = fixture.fold(&first, &[(Op::Create, 1, Some("a"))]);
    first.commit(&folded, &progress).await.unwrap();
    let committed = second.commit(&folded, &progress).await.unwrap();
    assert_eq!((committed.version, committed.rows), (1, 1));
    assert_eq!(contents(&second).await, expect(&[(1, "a")]));
    assert_eq!(std::fs::read_dir(fixture.directory.path()).unwrap().count(), 2, "the log and one data file");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_moves_without_rows() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    let (mut folded, mut progress) = fixture.fold(&table, &[(Op::Create, 1, Some("a"))]);
    table.commit(&folded, &progress).await.unwrap();
    folded = fixture.fold(&table, &[]).0;
    progress.get_mut(&0).unwrap().next_offset = 9;
    let committed = table.commit(&folded, &progress).await.unwrap();
    assert_eq!((committed.version, committed.files_written), (2, 0));
    assert_eq!(fixture.open().await.progress()[&0].next_offset, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_on_write_leaves_a_table_that_needs_no_deletion_vectors() {
    let mut fixture = Fixture::new();
    fixture.spec.writes = Writes::CopyOnWrite;
    let mut table = fixture.open().await;
    fixture
        .apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b")), (Op::Create, 3, Some("c"))])
        .await;
    fixture.apply(&mut table, &[(Op::Update, 2, Some("bb")), (Op::Delete, 3, None)]).await;
    let reopened = fixture.open().await;
    assert_eq!(contents(&reopened).await, expect(&[(1, "a"), (2, "bb")]));
    assert!(reopened.state.files.iter().all(|(_, file)| file.add.deletion_vector.is_none()));
    let protocol = &reopened.state.protocol;
    assert_eq!((protocol.min_reader_version, protocol.min_writer_version), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_the_log_cannot_name_stops_the_table_with_advice() {
    let mut fixture = Fixture::new();
    fixture.spec.partition_by = vec!["text".to_owned()];
    let mut table = fixture.open().await;
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 1, Some(""))]);
    let error = table.commit(&folded, &progress).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("an empty text in text"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_somebody_else_is_refused_and_left_untouched() {
    let mut fixture = Fixture::new();
    fixture.open().await;
    let log = fixture.directory.path().join("_delta_log");
    let before = std::fs::read_dir(&log).unwrap().count();
    fixture.spec.topic = "another".to_owned();
    let error = KeyedTable::open(&fixture.spec).await.map(|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("made from the topic t; ") && error.to_string().contains(" say another"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_come_with_the_commit_that_first_carries_them() {
    let mut fixture = Fixture::new();
    let mut table = KeyedTable::create(&fixture.spec, &Fixture::source(2)).await.unwrap();
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 1, Some("a"))]);
    table.commit(&folded, &progress).await.unwrap();
    table.fit(&Fixture::source(3)).unwrap();
    fixture.apply(&mut table, &[(Op::Create, 2, Some("b"))]).await;
    let reopened = fixture.open().await;
    assert_eq!(reopened.columns().arrow().fields().len(), 3);
    assert_eq!(reopened.version(), 2);
    assert_eq!(contents(&reopened).await, expect(&[(1, "a"), (2, "b")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_has_a_file_per_partition_and_finds_its_rows_again() {
    let mut fixture = Fixture::new();
    fixture.spec.partition_by = vec!["day".to_owned()];
    let mut table = fixture.open().await;
    fixture
        .apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b")), (Op::Create, 3, Some("c"))])
        .await;
    assert_eq!(table.files(), 2);
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Update, 3, Some("cc")), (Op::Delete, 2, None)]).await;
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "a"), (3, "cc")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn partition_by_a_column_that_is_not_there_names_those_that_are() {
    let mut fixture = Fixture::new();
    fixture.spec.partition_by = vec!["month".to_owned()];
    let error = KeyedTable::create(&fixture.spec, &Fixture::source(3)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "partitionBy: the table has no column month; it has id, text, day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_table_finds_what_opening_it_would_refuse() {
    let mut fixture = Fixture::new();
    drop(fixture.open().await);
    assert_eq!(KeyedTable::existing_version(&fixture.spec).await.unwrap(), Some(0));
    fixture.spec.cluster_by = vec!["nope".to_owned()];
    let error = KeyedTable::existing_version(&fixture.spec).await.unwrap_err();
    assert!(error.to_string().contains("the table has no column nope"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_stops_the_table_and_says_what_is_wrong_with_it() {
    for (version, text, problem) in [
        (1, None, "versions between others are missing"),
        (0, Some("no JSON"), "cannot be read"),
        (0, Some("{\"metaData\": {"), "cannot be read"),
        (0, Some(""), "No table metadata or protocol"),
    ] {
        let mut fixture = Fixture::new();
        let mut table = fixture.open().await;
        fixture.apply(&mut table, &[(Op::Create, 1, Some("x"))]).await;
        fixture.apply(&mut table, &[(Op::Create, 2, Some("x"))]).await;
        let path = fixture.directory.path().join(format!("_delta_log/{version:020}.json"));
        match text {
            Some(text) => std::fs::write(path, text).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let error = KeyedTable::open(&fixture.spec).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(error.to_string().contains(problem) && error.to_string().contains("_delta_log"), "{error}");
    }
}
