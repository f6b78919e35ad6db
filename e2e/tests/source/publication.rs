//! The publication that a resource gets, and that follows its tables.

use serde_json::json;
use tributary_crds::CdcReplication;
use tributary_sources::postgres::{Change, cleanup, connect, prepare, publication, publish, slot};

use super::cleanup::read;
use super::{Source, cdc, reasons, superuser};

const TABLES: &str = "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY);
    CREATE TABLE products (id int PRIMARY KEY); CREATE TABLE keyless (id int);";

/// A resource of this uid.
fn owned(source: &Source, tables: &[&str], uid: &str) -> CdcReplication {
    let mut resource = source.resource(tables);
    resource.metadata.uid = Some(uid.to_owned());
    resource
}

/// The tables of all publications, each with the number of its membership.
async fn members(source: &Source) -> Vec<(String, u32)> {
    let query = "SELECT prrelid::regclass::text, oid FROM pg_publication_rel ORDER BY 1";
    source.admin.query(query, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn names(source: &Source) -> Vec<String> {
    members(source).await.into_iter().map(|(name, _)| name).collect()
}

/// Makes the publication what the resource needs.
async fn published(source: &Source, resource: &CdcReplication) -> Vec<Change> {
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    publish(&session, resource).await.unwrap()
}

#[tokio::test]
async fn tables_come_and_go_and_those_that_stay_keep_their_membership_and_are_not_waited_for() {
    let source = Source::start(&[]).await;
    source.sql(TABLES).await;
    let listed = |tables: &[&str]| owned(&source, tables, "u-1");
    let first = listed(&["public.users", "public.missing", "public.keyless", "public.orders"]);
    assert_eq!(published(&source, &first).await.len(), 3, "made, given tables, and claimed");
    assert_eq!(names(&source).await, ["orders", "users"], "neither one that is missing nor one without a key");
    let before = members(&source).await;
    assert_eq!(published(&source, &first).await, []);

    // Whoever needed a lock of it would wait for ever.
    let other = super::connect(&source.stack.addresses().postgres_url("shop")).await;
    other.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    published(&source, &listed(&["public.users", "public.products"])).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(names(&source).await, ["products", "users"]);
    assert!(members(&source).await.contains(&before[1]), "the membership of a table that stays is the same");

    source.sql("DROP TABLE users; CREATE TABLE users (id int PRIMARY KEY)").await;
    assert_eq!(names(&source).await, ["products"]);
    published(&source, &listed(&["public.users", "public.products"])).await;
    assert_eq!(names(&source).await, ["products", "users"], "a table that was made anew is published anew");
}

#[tokio::test]
async fn partitions_come_under_the_name_of_their_table_and_tables_that_inherit_do_not_come() {
    let source = Source::start(&[]).await;
    source
        .sql(
            "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
            CREATE TABLE \"Big One\" (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (\"Big One\");",
        )
        .await;
    let resource = owned(&source, &["public.parts", "public.Big One"], "u-1");
    published(&source, &resource).await;
    let seen = "SELECT count(*) FROM pg_publication_tables WHERE tablename IN ('parts', 'Big One')";
    assert_eq!((source.number(seen).await, members(&source).await.len()), (2, 2));

    let name = publication(&resource);
    source.sql(&format!("ALTER PUBLICATION {name} SET (publish = 'insert', publish_via_partition_root = false)")).await;
    assert_eq!(published(&source, &resource).await, [Change::Options]);
    let whole = "SELECT count(*) FROM pg_publication WHERE pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot";
    assert_eq!(source.number(whole).await, 1);
    source.sql(&format!("ALTER PUBLICATION {name} ADD TABLES IN SCHEMA public")).await;
    assert_eq!(published(&source, &resource).await, [Change::DropSchemas(vec!["public".to_owned()])]);
    source.sql(&format!("ALTER PUBLICATION {name} SET TABLE parts, \"Big One\" WHERE (id > 7)")).await;
    let anew = || vec!["public.Big One".to_owned()];
    let changes = published(&source, &resource).await;
    assert!(changes.contains(&Change::Add(anew())) && names(&source).await.len() == 2, "{changes:?}");
}

#[tokio::test]
async fn what_another_resource_of_the_same_name_reads_is_left_alone_and_what_nobody_reads_is_taken_over() {
    let source = Source::start(&[]).await;
    source.sql(TABLES).await;
    let (one, two) = (owned(&source, &["public.users"], "u-1"), owned(&source, &["public.orders"], "u-2"));
    published(&source, &one).await;
    source.sql(&format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", slot(&one))).await;
    read(&source, &slot(&one)).await;
    let is_read = "SELECT count(*) FROM pg_replication_slots WHERE active";
    while source.number(is_read).await == 0 {
        tokio::task::yield_now().await;
    }
    let (_, found, changes) = prepare(&two, &source.postgres(), &superuser()).await.unwrap();
    assert_eq!((reasons(&found), changes.len()), (vec!["SlotInUse"], 0));
    assert!(found[0].message.contains("u-1"), "{}", found[0]);
    cleanup(&two, &source.postgres(), &superuser()).await.unwrap();
    assert_eq!((names(&source).await, source.number(is_read).await), (vec!["users".to_owned()], 1));

    source.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots").await;
    while source.number(is_read).await == 1 {
        tokio::task::yield_now().await;
    }
    let (_, found, changes) = prepare(&two, &source.postgres(), &superuser()).await.unwrap();
    assert_eq!((reasons(&found), changes.len()), (vec![], 3));
    assert_eq!(names(&source).await, ["orders"]);
    cleanup(&one, &source.postgres(), &superuser()).await.unwrap();
    assert_eq!(source.number("SELECT count(*) FROM pg_publication").await, 1, "it is the other one's now");
    cleanup(&two, &source.postgres(), &superuser()).await.unwrap();
    assert_eq!(source.number("SELECT count(*) FROM pg_publication").await, 0);
}

#[tokio::test]
async fn a_publication_that_the_owner_of_the_tables_keeps_needs_nothing_but_the_right_to_read() {
    let source = Source::start(&[]).await;
    source.sql(TABLES).await;
    source.sql("CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'secret'; GRANT SELECT ON users, orders TO cdc;").await;
    let mut resource = owned(&source, &["public.users", "public.orders"], "u-1");
    let settings = serde_json::from_value(json!({"name": "sales", "managed": false})).unwrap();
    resource.spec.source.postgres.as_mut().unwrap().publication = settings;
    let mut met = Vec::new();
    loop {
        let (_, found, changes) = prepare(&resource, &source.postgres(), &cdc()).await.unwrap();
        assert_eq!(changes, []);
        let Some(first) = found.first() else { break };
        assert!(!met.contains(&first.reason), "the advice of {} did not help", first.reason);
        met.push(first.reason);
        let (_, sql) = first.advice.split_once(": ").unwrap();
        source.sql(sql).await;
        if met.len() == 1 {
            source.sql("ALTER PUBLICATION sales DROP TABLE orders").await;
        }
    }
    assert_eq!(met, ["PublicationMissing", "NotPublished"]);
    cleanup(&resource, &source.postgres(), &cdc()).await.unwrap();
    assert_eq!(source.number("SELECT count(*) FROM pg_publication").await, 1, "whoever keeps it decides about it");
}
