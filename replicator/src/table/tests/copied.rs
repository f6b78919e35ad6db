//! Copies of the source's rows: begun, committed chunk by chunk, recorded, and made anew with other columns.

use super::*;

pub(super) fn progress(next_offset: i64) -> PartitionProgress {
    PartitionProgress::from([(0, Progress { next_offset, ..Progress::default() })])
}

/// A chunk of the rows with these ids, whose text is `text`.
pub(super) async fn chunk(table: &KeyedTable, ids: &[i64], text: &str) -> WrittenChunk {
    let rows = rows(table, ids, |_| text.to_owned());
    let mut writer = ChunkWriter::new(&table.chunk_target(), 1 << 20);
    writer.write(&rows).await.unwrap();
    writer.finish().await.unwrap()
}

fn rows(table: &KeyedTable, ids: &[i64], text: impl Fn(i64) -> String) -> RecordBatch {
    let columns = table.columns().arrow();
    let id: ArrayRef = match columns.field(0).data_type() {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(ids.iter().map(ToString::to_string))),
        _ => Arc::new(Int64Array::from_iter_values(ids.iter().copied())),
    };
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|id| text(*id))));
    let days: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|id| day(*id))));
    RecordBatch::try_new(Arc::clone(columns), vec![id, texts, days]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_keeps_to_its_memory_by_ending_files_early_in_whatever_partitions() {
    const MEMORY: usize = 1 << 20;
    let mut fixture = Fixture::new();
    fixture.spec.partition_by = vec!["day".to_owned()];
    let mut table = fixture.open().await;
    table.begin_copy(&Fixture::source(3), "begun", &progress(0)).await.unwrap();
    let mut writer = ChunkWriter::new(&table.chunk_target(), MEMORY);
    // 16 kB that hardly compress.
    let hash = |id: i64, part: i64| xxhash_rust::xxh3::xxh3_64(&[id.to_le_bytes(), part.to_le_bytes()].concat());
    let text = |id| (0..1000).map(|part| format!("{:016x}", hash(id, part))).collect::<Vec<_>>().concat();
    for batch in 0..50 {
        let ids: Vec<i64> = (batch * 10..batch * 10 + 10).collect();
        writer.write(&rows(&table, &ids, text)).await.unwrap();
        assert!(writer.memory() <= MEMORY);
    }
    let written = writer.finish().await.unwrap();
    assert!(written.files.len() > 2, "8 MB of rows were in memory");
    table.commit_chunk(&written, "done").await.unwrap();
    assert_eq!(contents(&fixture.open().await).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_there_after_a_restart_with_the_record_and_their_rows_are_found_by_their_keys() {
    let mut fixture = Fixture::new();
    fixture.spec.partition_by = vec!["day".to_owned()];
    let mut table = fixture.open().await;
    assert_eq!(table.copy_record(), None);
    table.begin_copy(&Fixture::source(3), "begun", &progress(5)).await.unwrap();
    let first = chunk(&table, &[1, 2, 3], "copied").await;
    table.commit_chunk(&first, "one chunk").await.unwrap();

    let mut table = fixture.open().await;
    assert_eq!((table.copy_record(), table.progress()), (Some("one chunk"), &progress(5)));
    let second = chunk(&table, &[4], "copied").await;
    table.commit_chunk(&second, "two chunks").await.unwrap();
    fixture.offset = 5;
    table.record_copy("followed".to_owned());
    fixture.apply(&mut table, &[(Op::Update, 2, Some("changed")), (Op::Delete, 3, None)]).await;
    let expected = expect(&[(1, "copied"), (2, "changed"), (4, "copied")]);
    let reopened = fixture.open().await;
    assert_eq!(reopened.copy_record(), Some("followed"));
    assert_eq!(reopened.rows(), expected.len() as u64);
    assert_eq!(reopened.has_rows(keys(&reopened, &[1, 2, 3, 4])).await.unwrap(), [true, true, false, true]);
}

fn keys(table: &KeyedTable, ids: &[i64]) -> Vec<KeyHash> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.iter().copied()));
    table.columns().key_encoder().unwrap().hashes(&[ids]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_anew_takes_the_old_rows_away_and_may_have_other_columns_and_start_at_a_lower_offset() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]).await;
    let before = table.version();
    let fields = [("id", DataType::Utf8), ("name", DataType::Utf8), ("day", DataType::Utf8)];
    let fields: Vec<Field> = fields.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
    let source = RowSchema { arrow: Arc::new(Schema::new(fields)), key: vec![0], warnings: vec![] };
    table.begin_copy(&source, "anew", &progress(0)).await.unwrap();
    assert_eq!((table.rows(), table.version()), (0, before + 1));
    let rows = chunk(&table, &[1, 7], "new").await;
    table.commit_chunk(&rows, "done").await.unwrap();

    let reopened = fixture.open().await;
    let names: Vec<_> = reopened.columns().arrow().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "name", "day"]);
    assert_eq!((reopened.rows(), reopened.copy_record(), reopened.progress()), (2, Some("done"), &progress(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_into_the_same_table_is_refused() {
    let fixture = Fixture::new();
    let mut first = fixture.open().await;
    first.begin_copy(&Fixture::source(3), "begun", &progress(0)).await.unwrap();
    let mut second = fixture.open().await;
    let (ours, theirs) = (chunk(&first, &[1], "ours").await, chunk(&second, &[1], "theirs").await);
    first.commit_chunk(&ours, "ours").await.unwrap();
    let error = second.commit_chunk(&theirs, "theirs").await.unwrap_err();
    assert!(matches!(error, TableError::SecondCopy { version: 2, .. }), "{error}");
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "ours")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_landed_although_nobody_said_so_is_not_put_twice() {
    let fixture = Fixture::new();
    let mut table = fixture.open().await;
    table.begin_copy(&Fixture::source(3), "begun", &progress(0)).await.unwrap();
    // An earlier process of ours, whose answer was lost.
    let mut other = fixture.open().await;
    let (landed, again) = (chunk(&other, &[1], "copied").await, chunk(&table, &[1], "copied").await);
    other.commit_chunk(&landed, "one chunk").await.unwrap();
    table.commit_chunk(&again, "one chunk").await.unwrap();
    assert_eq!(table.version(), 2);
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "copied")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_recorded_may_change_while_a_commit_is_tried_again() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    table.begin_copy(&Fixture::source(3), "begun", &progress(0)).await.unwrap();
    table.record_copy("one".to_owned());
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 1, Some("a"))]);
    // The log's folder cannot be listed or written for a moment.
    let log = fixture.directory.path().join("_delta_log");
    let aside = fixture.directory.path().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, "in the way").unwrap();
    table.commit(&folded, &progress).await.unwrap_err();
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    table.record_copy("two".to_owned());
    table.commit(&folded, &progress).await.unwrap();
    assert_eq!(table.copy_record(), Some("one"));
    fixture.apply(&mut table, &[(Op::Create, 2, Some("b"))]).await;
    assert_eq!(fixture.open().await.copy_record(), Some("two"));
}
