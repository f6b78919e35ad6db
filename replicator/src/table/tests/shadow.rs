//! Tables copied anew beside the one that readers have, and swapped with it.

use super::copied::{chunk, progress};
use super::*;

/// A table with the rows 1 and 2, of which nobody knows more.
async fn old(fixture: &mut Fixture) -> KeyedTable {
    let mut table = fixture.open().await;
    fixture.apply(&mut table, &[(Op::Create, 1, Some("old")), (Op::Create, 2, Some("old"))]).await;
    table
}

/// The shadow of the table, with copied rows of which one was updated and one deleted.
async fn copied(fixture: &mut Fixture, shadow: &Shadow) -> KeyedTable {
    let spec = shadow.spec(&fixture.spec);
    let mut table = KeyedTable::create(&spec, &Fixture::source(3)).await.unwrap();
    table.begin_copy(&Fixture::source(3), "begun", &progress(1)).await.unwrap();
    let rows = chunk(&table, &[1, 4, 5, 6], "copied").await;
    table.commit_chunk(&rows, "copied").await.unwrap();
    fixture.apply(&mut table, &[(Op::Update, 4, Some("followed")), (Op::Delete, 5, None)]).await;
    table
}

async fn begun(fixture: &Fixture) -> Shadow {
    Shadow::begin(&fixture.spec, "asked for", true, Some("first")).await.unwrap().unwrap()
}

/// As a pipeline does that knows how far the table is.
async fn swap(fixture: &Fixture, shadow: &Shadow, by: &KeyedTable, record: Option<&str>) -> bool {
    let known = applied(&fixture.spec).await.unwrap();
    let successor = Successor { shadow: by, applied: by.progress(), record };
    shadow.swap(&fixture.spec, successor, &known).await.unwrap()
}

fn new_rows() -> BTreeMap<i64, Option<String>> {
    expect(&[(1, "copied"), (4, "followed"), (6, "copied")])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_commit_puts_the_rows_of_the_shadow_in_the_place_of_the_old_ones() {
    let mut fixture = Fixture::new();
    let index = tempfile::tempdir().unwrap();
    fixture.spec.index_dir = Some(index.path().to_owned());
    fixture.spec.index_memory_rows = 0;
    let table = old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    let applied_by_shadow = new.progress().clone();
    assert_eq!(contents(&fixture.open().await).await, contents(&table).await, "readers have the old rows");
    assert!(swap(&fixture, &shadow, &new, Some("all of it")).await);

    new.leave().await;
    let mut swapped = fixture.open().await;
    assert_eq!(swapped.version(), table.version() + 2, "the wish and the swap");
    assert_eq!(contents(&swapped).await, new_rows());
    assert_eq!((swapped.copy_record(), swapped.progress()), (Some("all of it"), &applied_by_shadow));
    assert_eq!(applied(&fixture.spec).await.unwrap(), applied_by_shadow);
    let copies = Copies::read(&fixture.spec).await.unwrap().unwrap();
    assert_eq!(copies, Copies { shadow: None, resynced: Some("first".to_owned()) });
    assert!(
        !fixture
            .directory
            .path()
            .join(format!("g{}", table.version() + 1))
            .join("_delta_log/00000000000000000000.json")
            .exists()
    );
    // It is a table like any other.
    fixture.apply(&mut swapped, &[(Op::Delete, 6, None), (Op::Update, 1, Some("later"))]).await;
    assert_eq!(contents(&fixture.open().await).await, expect(&[(1, "later"), (4, "followed")]));
    // Its old versions stay readable.
    for (_, file) in table.state.files.iter() {
        assert!(fixture.directory.path().join(&file.add.path).exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_runs_of_a_shadow_are_those_of_the_table_and_none_is_made_anew() {
    let mut fixture = Fixture::new();
    let index = tempfile::tempdir().unwrap();
    fixture.spec.index_dir = Some(index.path().to_owned());
    fixture.spec.index_memory_rows = 0;
    old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    let files: Vec<String> = new.state.files.iter().map(|(_, file)| file.add.path.clone()).collect();
    assert!(swap(&fixture, &shadow, &new, None).await);
    let table = fixture.open().await;
    assert_eq!(table.files(), files.len());
    // Data files without their rows would not do for runs that are made anew.
    for (_, file) in table.state.files.iter() {
        std::fs::write(fixture.directory.path().join(&file.add.path), "").unwrap();
    }
    assert_eq!(fixture.open().await.rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_whose_answer_was_lost_is_not_made_twice() {
    let mut fixture = Fixture::new();
    old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    let again = fixture_open(&shadow.spec(&fixture.spec)).await;
    assert!(swap(&fixture, &shadow, &new, None).await);
    let version = fixture.open().await.version();
    assert!(swap(&fixture, &shadow, &again, None).await);
    assert_eq!(fixture.open().await.version(), version);
    assert_eq!(contents(&fixture.open().await).await, new_rows());
}

async fn fixture_open(spec: &TableSpec) -> KeyedTable {
    KeyedTable::open(spec).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_table_gets_until_the_swap_goes_with_its_old_rows() {
    let mut fixture = Fixture::new();
    let mut table = old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    // The old rows are followed meanwhile: the writer takes the wish for the copy in as a commit like any other.
    fixture.offset = 2;
    fixture.apply(&mut table, &[(Op::Create, 9, Some("old")), (Op::Delete, 1, None)]).await;
    assert!(swap(&fixture, &shadow, &new, None).await);
    assert_eq!(contents(&fixture.open().await).await, new_rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_moved_on_is_not_swapped_with_a_shadow_that_may_be_behind() {
    let mut fixture = Fixture::new();
    let mut table = old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    let known = applied(&fixture.spec).await.unwrap();
    fixture.offset = 2;
    fixture.apply(&mut table, &[(Op::Create, 9, Some("old"))]).await;
    let successor = Successor { shadow: &new, applied: new.progress(), record: None };
    assert!(!shadow.swap(&fixture.spec, successor, &known).await.unwrap());
    assert_eq!(fixture.open().await.version(), table.version());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_somebody_changed_is_cured() {
    let mut fixture = Fixture::new();
    let table = old(&mut fixture).await;
    let foreign = r#"{"commitInfo":{"operation":"DELETE","engineInfo":"Apache-Spark/4.1"}}"#;
    let path = &table.state.files.iter().next().unwrap().1.add.path;
    let remove = format!(r#"{{"remove":{{"path":"{path}","dataChange":true,"deletionTimestamp":1}}}}"#);
    let version = table.version() + 1;
    let log = fixture.directory.path().join(format!("_delta_log/{version:020}.json"));
    std::fs::write(log, format!("{foreign}\n{remove}\n")).unwrap();
    let error = KeyedTable::open(&fixture.spec).await.err().unwrap();
    assert!(matches!(error, TableError::ForeignChange { .. }), "{error}");
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    assert!(swap(&fixture, &shadow, &new, None).await);
    assert_eq!(contents(&fixture.open().await).await, new_rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_taken_in_once_and_a_second_one_does_not_begin_another_shadow() {
    let mut fixture = Fixture::new();
    assert_eq!(Shadow::begin(&fixture.spec, "no table", true, None).await.unwrap(), None);
    let version = old(&mut fixture).await.version();
    let shadow = begun(&fixture).await;
    assert_eq!(begun(&fixture).await, shadow);
    assert_eq!(fixture.open().await.version(), version + 1);
    let second = Shadow::begin(&fixture.spec, "again", false, Some("second")).await.unwrap().unwrap();
    assert_eq!(second, shadow);
    let copies = Copies::read(&fixture.spec).await.unwrap().unwrap();
    assert_eq!(copies.resynced.as_deref(), Some("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_is_damaged_is_discarded_and_begins_again() {
    let mut fixture = Fixture::new();
    old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    let new = copied(&mut fixture, &shadow).await;
    let spec = shadow.spec(&fixture.spec);
    for (_, file) in new.state.files.iter() {
        std::fs::remove_file(spec.url.to_file_path().unwrap().join(&file.add.path)).unwrap();
    }
    drop(new);
    let error = KeyedTable::open(&spec).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let next = shadow.discard(&fixture.spec).await.unwrap().unwrap();
    assert!(KeyedTable::open(&next.spec(&fixture.spec)).await.unwrap().is_none());
    fixture.offset = 2;
    let new = copied(&mut fixture, &next).await;
    assert!(swap(&fixture, &next, &new, None).await);
    assert_eq!(contents(&fixture.open().await).await, new_rows());
}

/// The files of the shadow's log.
fn log_of(fixture: &Fixture, shadow: &Shadow) -> Vec<std::path::PathBuf> {
    let log = shadow.spec(&fixture.spec).url.to_file_path().unwrap().join("_delta_log");
    let Ok(files) = std::fs::read_dir(log) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_made_elsewhere_when_a_process_was_killed_while_it_discarded_one() {
    for removed in 0..4 {
        let mut fixture = Fixture::new();
        old(&mut fixture).await;
        let shadow = begun(&fixture).await;
        drop(copied(&mut fixture, &shadow).await);
        let log = log_of(&fixture, &shadow);
        let kept: Vec<_> = log.iter().skip(removed).map(|file| (file, std::fs::read(file).unwrap())).collect();
        assert_eq!((log.len(), kept.len()), (4, 4 - removed));
        let next = shadow.discard(&fixture.spec).await.unwrap().unwrap();
        assert_eq!(log_of(&fixture, &shadow), Vec::<std::path::PathBuf>::new());
        // As if it had come so far.
        for (file, bytes) in kept {
            std::fs::write(file, bytes).unwrap();
        }
        let copies = Copies::read(&fixture.spec).await.unwrap().unwrap();
        assert_eq!(copies, Copies { shadow: Some(next.clone()), resynced: Some("first".to_owned()) });
        assert!(fixture_opens_not(&next.spec(&fixture.spec)).await);
        fixture.offset = 2;
        let new = copied(&mut fixture, &next).await;
        assert!(swap(&fixture, &next, &new, None).await);
        assert_eq!(contents(&fixture.open().await).await, new_rows());
    }
}

async fn fixture_opens_not(spec: &TableSpec) -> bool {
    KeyedTable::open(spec).await.unwrap().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_discarded_once_and_by_one_process() {
    let mut fixture = Fixture::new();
    let version = old(&mut fixture).await.version();
    let shadow = begun(&fixture).await;
    let next = shadow.discard(&fixture.spec).await.unwrap();
    assert_eq!(shadow.discard(&fixture.spec).await.unwrap(), next, "its answer was lost, or somebody else was faster");
    assert_eq!(fixture.open().await.version(), version + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_removes_all_of_a_shadow_that_was_discarded_and_nothing_of_the_one_that_is_made() {
    let mut fixture = Fixture::new();
    fixture.spec.maintenance.history = std::time::Duration::from_millis(1);
    old(&mut fixture).await;
    let shadow = begun(&fixture).await;
    drop(copied(&mut fixture, &shadow).await);
    let log: Vec<_> = log_of(&fixture, &shadow).into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect();
    let next = shadow.discard(&fixture.spec).await.unwrap().unwrap();
    for (bytes, file) in log {
        std::fs::write(file, bytes).unwrap();
    }
    fixture.offset = 2;
    let new = copied(&mut fixture, &next).await;
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    fixture.open().await.maintain(later).await.unwrap();
    let folder = shadow.spec(&fixture.spec).url.to_file_path().unwrap();
    let files = |folder: &std::path::Path| {
        std::fs::read_dir(folder)
            .map_or(0, |files| files.filter(|file| file.as_ref().unwrap().path().is_file()).count())
    };
    assert_eq!((files(&folder), log_of(&fixture, &shadow).len()), (0, 0));
    assert!(swap(&fixture, &next, &new, None).await);
    assert_eq!(contents(&fixture.open().await).await, new_rows());
}
