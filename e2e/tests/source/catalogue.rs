//! What changes at a table without an event, and what is seen of it.

use tributary_sources::postgres::{Catalogue, Remedy, Session, catalogue, connect, differences};

use super::{Source, superuser};

async fn look(session: &Session, table: &str) -> Catalogue {
    catalogue(session, "public", table).await.unwrap().unwrap()
}

fn fill(column: &str, value: &str) -> Remedy {
    Remedy::Fill { column: column.to_owned(), value: value.to_owned() }
}

/// What the table is made by, what happens to it, and what follows; `t` is its name.
type Case = (&'static str, &'static str, Vec<Remedy>);

const PLAIN: &str =
    "CREATE TABLE t (id int PRIMARY KEY, n int, code text); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')";
const PARTITIONED: &str = "CREATE TABLE t (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
    CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); INSERT INTO t VALUES (1, 1);
    CREATE TABLE t2 (id int PRIMARY KEY, n int); INSERT INTO t2 VALUES (11, 1)";

fn without_events() -> Vec<Case> {
    let anew = || vec![Remedy::CopyAnew];
    vec![
        (PLAIN, "ALTER TABLE t ADD COLUMN s text DEFAULT 'it''s, {new}'", vec![fill("s", "it's, {new}")]),
        (
            PLAIN,
            "ALTER TABLE t ADD COLUMN at timestamptz DEFAULT now(), ADD COLUMN b bool NOT NULL DEFAULT false",
            vec![fill("at", ""), fill("b", "f")],
        ),
        (PLAIN, "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid()", anew()),
        (PLAIN, "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (n + 1) STORED", anew()),
        (PLAIN, "ALTER TABLE t DROP COLUMN code; ALTER TABLE t ADD COLUMN code text", anew()),
        (PLAIN, "ALTER TABLE t RENAME COLUMN code TO name", anew()),
        (PLAIN, "ALTER TABLE t ALTER COLUMN code TYPE text USING upper(code)", anew()),
        (
            PLAIN,
            "ALTER TABLE t ALTER COLUMN code TYPE text USING upper(code); ALTER TABLE t ADD COLUMN s text DEFAULT 'x'",
            vec![fill("s", "x"), Remedy::CopyAnew],
        ),
        (PLAIN, "ALTER TABLE t ALTER COLUMN n TYPE bigint", anew()),
        (PLAIN, "ALTER TABLE t ALTER COLUMN code TYPE varchar(9)", anew()),
        (PLAIN, "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, n)", anew()),
        (PLAIN, "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, n int, code text)", anew()),
        (PLAIN, "CREATE TABLE x (LIKE t INCLUDING ALL); ALTER TABLE t RENAME TO y; ALTER TABLE x RENAME TO t", anew()),
        (PLAIN, "CREATE TABLE heir () INHERITS (t)", vec![Remedy::Stop]),
        (PARTITIONED, "ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (10) TO (20)", anew()),
        (PARTITIONED, "ALTER TABLE t DETACH PARTITION t1", anew()),
        (PARTITIONED, "DROP TABLE t1", anew()),
        (PARTITIONED, "TRUNCATE t1", anew()),
        (PARTITIONED, "ALTER TABLE t ALTER COLUMN n TYPE int USING n * 100", anew()),
    ]
}

fn of_no_consequence() -> Vec<Case> {
    let nothing = Vec::new;
    vec![
        (PLAIN, "INSERT INTO t VALUES (3, 3, 'c'); UPDATE t SET n = 9; DELETE FROM t WHERE id = 1", nothing()),
        (PLAIN, "ALTER TABLE t ADD COLUMN s text", nothing()),
        (PLAIN, "ALTER TABLE t DROP COLUMN code", nothing()),
        (PLAIN, "TRUNCATE t", nothing()),
        (PLAIN, "ALTER TABLE t ALTER COLUMN n SET NOT NULL, ALTER COLUMN code SET STATISTICS 500", nothing()),
        (PLAIN, "ALTER TABLE t REPLICA IDENTITY FULL; CREATE INDEX ON t (n); ANALYZE t", nothing()),
        (PARTITIONED, "CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (20) TO (30)", nothing()),
    ]
}

#[tokio::test]
async fn what_changes_a_table_without_an_event_is_seen_and_what_events_say_is_left_to_them() {
    let source = Source::start(&[]).await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    for (made, change, expected) in without_events().into_iter().chain(of_no_consequence()) {
        source.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        source.sql(made).await;
        let before = look(&session, "t").await;
        assert_eq!(differences(&before, &look(&session, "t").await), [], "{made}");
        source.sql(change).await;
        let found = differences(&before, &look(&session, "t").await);
        let remedies: Vec<Remedy> = found.iter().map(|difference| without_time(&difference.remedy)).collect();
        assert_eq!(remedies, expected, "{change}: {found:?}");
    }
    // VACUUM cannot run among others.
    source.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    source.sql(PLAIN).await;
    let before = look(&session, "t").await;
    source.sql("VACUUM FULL t").await;
    let after = look(&session, "t").await;
    assert_ne!(before.storage, after.storage);
    assert_eq!(differences(&before, &after), []);
}

/// The value of `now()` is known to the server alone.
fn without_time(remedy: &Remedy) -> Remedy {
    match remedy {
        Remedy::Fill { column, value } if column == "at" => {
            assert!(value.starts_with("20"), "{value}");
            fill("at", "")
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn a_catalogue_is_read_as_it_was_stored_and_a_table_that_is_not_there_has_none() {
    let source = Source::start(&[]).await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    source.sql(PLAIN).await;
    source.sql("ALTER TABLE t ADD COLUMN s text DEFAULT 'x'").await;
    let seen = look(&session, "t").await;
    let stored: Catalogue = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    assert_eq!(differences(&stored, &seen), []);
    source.sql("CREATE VIEW v AS SELECT 1").await;
    for table in ["nope", "v"] {
        assert_eq!(catalogue(&session, "public", table).await.unwrap(), None);
    }
}
