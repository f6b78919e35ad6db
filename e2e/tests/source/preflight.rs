//! What is found out about users and tables, and that the advice helps.

use tributary_sources::postgres::Severity;

use super::{Source, cdc, reasons, superuser};

const USER: &str = "CREATE ROLE app NOLOGIN; CREATE ROLE cdc LOGIN PASSWORD 'secret';
    REVOKE ALL ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO cdc;
    CREATE SCHEMA \"Sales\"; CREATE TABLE \"Sales\".\"Weird Table\" (id int PRIMARY KEY, name text);
    ALTER TABLE \"Sales\".\"Weird Table\" OWNER TO app;";

#[tokio::test]
async fn a_user_without_any_right_gets_them_one_by_one_from_the_advice() {
    let source = Source::start(&[]).await;
    source.sql(USER).await;
    let tables = ["Sales.Weird Table"];
    let mut met = Vec::new();
    loop {
        let found = source.found_by(&cdc(), &tables).await;
        let Some(first) = found.first() else { break };
        assert_eq!(first.severity, Severity::Error);
        assert!(!met.contains(&first.reason), "the advice of {} did not help", first.reason);
        met.push(first.reason);
        let (_, sql) = first.advice.split_once(": ").unwrap();
        source.sql(sql.split(" (on Amazon").next().unwrap()).await;
    }
    assert_eq!(met, ["ReplicationNotPermitted", "CreateNotPermitted", "NotOwner", "NotReadable"]);
}

#[tokio::test]
async fn each_table_that_cannot_be_replicated_is_found_by_name() {
    let source = Source::start(&[]).await;
    source
        .sql(
            "CREATE TABLE keyless (id int);
            CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
            CREATE TABLE other (id int PRIMARY KEY, code int NOT NULL UNIQUE);
            ALTER TABLE other REPLICA IDENTITY USING INDEX other_code_key;
            CREATE TABLE complete (id int PRIMARY KEY); ALTER TABLE complete REPLICA IDENTITY FULL;
            CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
            CREATE VIEW seen AS SELECT * FROM complete;
            CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE \"Upper\" (id int PRIMARY KEY);",
        )
        .await;
    let tables = ["missing", "keyless", "nothing", "other", "complete", "unlogged", "seen", "parts", "upper", "Upper"];
    let tables = tables.map(|table| format!("public.{table}"));
    let found = source.found_by(&superuser(), &tables.each_ref().map(String::as_str)).await;
    let found: Vec<_> = found.iter().map(|found| (found.table.as_deref().unwrap(), found.reason)).collect();
    let expected = [
        ("public.missing", "TableMissing"),
        ("public.keyless", "NoPrimaryKey"),
        ("public.nothing", "NoReplicaIdentity"),
        ("public.other", "ReplicaIdentityWithoutKey"),
        ("public.unlogged", "NotLogged"),
        ("public.seen", "NotATable"),
        ("public.upper", "TableMissing"),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn columns_that_lose_something_are_found_and_every_type_of_the_types_table_is_fine() {
    let source = Source::start(&[]).await;
    tributary_e2e::types_table::create(&source.admin).await.unwrap();
    let found = source.found_by(&superuser(), &[tributary_e2e::types_table::EVERY_TYPE]).await;
    assert_eq!(reasons(&found), ["NullInEnumArray"], "of the array of enums");

    source
        .sql(
            "CREATE TYPE address AS (street text); CREATE DOMAIN price AS money;
            CREATE TABLE odd (id int PRIMARY KEY, place address, boards int[][], costs price[], cost price,
                doubled int GENERATED ALWAYS AS (id * 2) STORED, log pg_lsn);
            CREATE TABLE bad_key (id pg_lsn PRIMARY KEY);",
        )
        .await;
    let found = source.found_by(&superuser(), &["public.odd", "public.bad_key"]).await;
    let expected = [
        "UnsupportedKeyType",
        "UnsupportedType",
        "UnsupportedType",
        "UnsupportedType",
        "GeneratedColumn",
        "UnsupportedType",
    ];
    assert_eq!(reasons(&found), expected);
}

#[tokio::test]
async fn rows_that_policies_hide_and_publications_of_others_are_found() {
    let source = Source::start(&[]).await;
    source
        .sql(
            "CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'secret'; GRANT CREATE ON DATABASE shop TO cdc;
            CREATE TABLE users (id int PRIMARY KEY); ALTER TABLE users OWNER TO cdc;
            ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
        )
        .await;
    assert_eq!(reasons(&source.found_by(&cdc(), &["public.users"]).await), ["RowSecurity"]);
    source.sql("ALTER ROLE cdc WITH BYPASSRLS").await;
    let own = tributary_sources::postgres::publication(&source.resource(&[]));
    source.sql(&format!("CREATE PUBLICATION {own} FOR TABLE users")).await;
    assert_eq!(reasons(&source.found_by(&cdc(), &["public.users"]).await), ["PublicationForeign"]);
    source.sql(&format!("ALTER PUBLICATION {own} OWNER TO cdc")).await;
    assert!(source.found_by(&cdc(), &["public.users"]).await.is_empty());
    source.sql(&format!("DROP PUBLICATION {own}; CREATE PUBLICATION {own} FOR ALL TABLES")).await;
    assert_eq!(reasons(&source.found_by(&superuser(), &["public.users"]).await), ["PublicationForeign"]);
}
