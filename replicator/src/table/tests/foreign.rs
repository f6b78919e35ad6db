//! What others commit: taken in, or refused by name.

use super::*;

/// What a compaction of somebody else does: the same rows in another file, `dataChange` false.
async fn rewrite_first_file(table: &KeyedTable) {
    let (_, file) = table.state.files.iter().next().unwrap();
    let moved = "compacted.parquet";
    table.context.store.copy(&file.add.path.as_str().into(), &moved.into()).await.unwrap();
    let mut entry = foreign(table, "OPTIMIZE");
    entry.removes.push(file.remove_action(&table.context.removed_at(), false, false));
    entry.adds.push(log::Add { path: moved.to_owned(), data_change: false, ..file.add.clone() });
    put(table, entry).await;
}

/// A commit of Spark on top of the newest version.
pub(super) fn foreign(table: &KeyedTable, operation: &str) -> log::Entry {
    let mut entry = log::Entry { version: table.version() + 1, ..log::Entry::default() };
    entry.info.insert("operation".to_owned(), operation.into());
    entry.info.insert("engineInfo".to_owned(), "Apache-Spark/4.1".into());
    entry
}

pub(super) async fn put(table: &KeyedTable, entry: log::Entry) {
    let landed = table.context.log.land(entry.version, "theirs", entry.to_json().unwrap()).await.unwrap();
    assert!(matches!(landed, log::Landing::Landed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_of_somebody_else_is_taken_in_and_the_commit_goes_on_top_of_it() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a"))]).await;
    rewrite_first_file(&table).await;
    let committed = fixture.apply(&mut table, &[(Op::Update, 1, Some("aa"))]).await;
    assert_eq!((committed.version, committed.conflicts), (3, 1));
    assert_eq!(contents(&table).await, expect(&[(1, "aa")]));
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "aa")]));
}

/// delta-rs lets it land: it overlooks that a compaction removed the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_of_files_that_are_no_more_what_it_read_stops_the_table() {
    for event in [(Op::Delete, 1, None), (Op::Truncate, 0, None)] {
        let mut fixture = Fixture::new();
        let mut table = fixture.open().await;
        fixture.apply(&mut table, &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]).await;
        let read = Arc::clone(table.state.files.iter().next().unwrap().1);
        fixture.apply(&mut table, &[event]).await;
        let mut entry = foreign(&table, "OPTIMIZE");
        entry.removes.push(read.remove_action(&table.context.removed_at(), false, false));
        entry.adds.push(log::Add { path: "stale.parquet".to_owned(), data_change: false, ..read.add.clone() });
        put(&table, entry).await;
        refused_by_all(&mut fixture, table).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_adds_rows_stops_the_table_also_when_it_has_no_statistics() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a"))]).await;
    let file = Arc::clone(table.state.files.iter().next().unwrap().1);
    table.context.store.copy(&file.add.path.as_str().into(), &"more.parquet".into()).await.unwrap();
    let mut entry = foreign(&table, "OPTIMIZE");
    let add = log::Add { path: "more.parquet".to_owned(), data_change: false, stats: None, ..file.add.clone() };
    entry.adds.push(add);
    put(&table, entry).await;
    refused_by_all(&mut fixture, table).await;
}

/// Neither the process that runs nor a new one goes on with what somebody did.
async fn refused_by_all(fixture: &mut Fixture, mut table: KeyedTable) {
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 3, Some("c"))]);
    let error = table.commit(&folded, &progress).await.unwrap_err();
    assert!(matches!(error, TableError::ForeignChange { .. }), "{error}");
    let error = KeyedTable::open(&fixture.spec).await.map(drop).unwrap_err();
    assert!(matches!(error, TableError::ForeignChange { .. }), "nor does a new process: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rows_by_somebody_else_stops_the_table_and_says_who_it_was() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a"))]).await;
    let (_, file) = table.state.files.iter().next().unwrap();
    let mut entry = foreign(&table, "DELETE");
    entry.removes.push(file.remove_action(&table.context.removed_at(), false, true));
    put(&table, entry).await;
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 2, Some("b"))]);
    let error = table.commit(&folded, &progress).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign);
    assert!(error.to_string().contains("changed rows: DELETE by Apache-Spark/4.1"), "{error}");
    assert_eq!(std::fs::read_dir(fixture.directory.path()).unwrap().count(), 2, "what was written is gone again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rows_by_somebody_else_while_nobody_looked_is_refused_at_the_start_until_it_is_undone() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("a"))]).await;
    let (_, file) = table.state.files.iter().next().unwrap();
    let mut entry = foreign(&table, "DELETE");
    entry.removes.push(file.remove_action(&table.context.removed_at(), false, true));
    put(&table, entry).await;
    let error = KeyedTable::open(&fixture.spec).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("changed rows: DELETE by Apache-Spark/4.1"), "{error}");
    let looked_at = KeyedTable::existing_version(&fixture.spec).await.unwrap_err();
    assert_eq!(looked_at.to_string(), error.to_string(), "a look at the table finds what opening it refuses");

    let mut entry = foreign(&table, "RESTORE");
    entry.version += 1;
    entry.info.insert("operationParameters".to_owned(), serde_json::json!({"version": table.version().to_string()}));
    entry.adds.push(file.add.clone());
    put(&table, entry).await;
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "a")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_to_restore_the_version_before_the_first() {
    let fixture = Fixture::new();
    let table = fixture.open().await;
    let first = log::Entry { version: 0, ..foreign(&table, "CLONE") };
    let text = table.context.foreign_change(&first).to_string();
    assert!(!text.contains("RESTORE") && text.contains(". Have the table copied anew"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partition_by_than_the_table_has_is_refused_with_both() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    let spec = TableSpec { partition_by: vec!["text".to_owned()], ..fixture.spec.clone() };
    let error = KeyedTable::open(&spec).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("partitioned by nothing, and the resource says text"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_that_somebody_switched_on_stops_the_table_by_its_name() {
    let mut fixture = Fixture::new();
    let mut table = fixture.open().await;
    let mut entry = foreign(&table, "SET TBLPROPERTIES");
    let mut protocol = table.state.protocol.clone();
    protocol.writer_features.as_mut().unwrap().push("rowTracking".to_owned());
    entry.protocol = Some(protocol);
    put(&table, entry).await;
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 2, Some("b"))]);
    let error = table.commit(&folded, &progress).await.unwrap_err();
    assert!(matches!(&error, TableError::Unsupported { feature, .. } if feature == "rowTracking"), "{error}");
    let reopened = KeyedTable::open(&fixture.spec).await.map(|_| ()).unwrap_err();
    assert!(matches!(&reopened, TableError::Unsupported { feature, .. } if feature == "rowTracking"), "{reopened}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_somebody_added_survives_the_one_that_the_source_adds() {
    let mut fixture = Fixture::new();
    let mut table = KeyedTable::create(&fixture.spec, &Fixture::source(2)).await.unwrap();
    table.fit(&Fixture::source(3)).unwrap();
    let (folded, progress) = fixture.fold(&table, &[(Op::Create, 1, Some("a"))]);
    let mut entry = foreign(&table, "ADD COLUMNS");
    let field = r#"{"name":"note","type":"string","nullable":true,"metadata":{"comment":"theirs"}}"#;
    let schema = table.state.metadata.schema_string.replacen("\"fields\":[", &format!("\"fields\":[{field},"), 1);
    entry.metadata = Some(log::Metadata { schema_string: schema, ..table.state.metadata.clone() });
    put(&table, entry).await;
    table.commit(&folded, &progress).await.unwrap();
    let reopened = fixture.open().await;
    let names: Vec<_> = reopened.columns().arrow().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["note", "id", "text", "day"]);
    assert!(reopened.state.metadata.schema_string.contains("\"comment\":\"theirs\""));
}
