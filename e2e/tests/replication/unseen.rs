//! What changes at the source without any event: the tables are equal again, without anybody's help.

use tributary_e2e::pipeline::{EventFormat, Phase, PipelineOptions, TableView};

use crate::shared::Bench;

/// Table, how it is made, and what is done to it.
const CHANGES: [(&str, &str, &str); 11] = [
    ("constant_default", "(id int PRIMARY KEY, a text)", "ALTER TABLE constant_default ADD COLUMN b int DEFAULT 7"),
    (
        "volatile_default",
        "(id int PRIMARY KEY, a text)",
        "ALTER TABLE volatile_default ADD COLUMN b text DEFAULT md5(random()::text)",
    ),
    ("renamed", "(id int PRIMARY KEY, a text)", "ALTER TABLE renamed RENAME COLUMN a TO b"),
    (
        "dropped_and_added",
        "(id int PRIMARY KEY, a text)",
        "ALTER TABLE dropped_and_added DROP COLUMN a, ADD COLUMN other int; ALTER TABLE dropped_and_added ADD COLUMN a text",
    ),
    ("wider", "(id int PRIMARY KEY, a text)", "ALTER TABLE wider ALTER COLUMN id TYPE bigint"),
    ("rewritten", "(id int PRIMARY KEY, a text)", "ALTER TABLE rewritten ALTER COLUMN a TYPE text USING a || '!'"),
    (
        "other_key",
        "(id int PRIMARY KEY, a text NOT NULL UNIQUE)",
        "ALTER TABLE other_key DROP CONSTRAINT other_key_pkey, ADD PRIMARY KEY (a)",
    ),
    ("truncated_part", "(id int PRIMARY KEY, a text) PARTITION BY RANGE (id)", "TRUNCATE truncated_part_low"),
    (
        "detached_part",
        "(id int PRIMARY KEY, a text) PARTITION BY RANGE (id)",
        "ALTER TABLE detached_part DETACH PARTITION detached_part_low",
    ),
    (
        "made_again",
        "(id int PRIMARY KEY, a text)",
        "DROP TABLE made_again; CREATE TABLE made_again (id int PRIMARY KEY, a text); INSERT INTO made_again VALUES (1, 'new')",
    ),
    (
        "swapped",
        "(id int PRIMARY KEY, a text)",
        "CREATE TABLE next (id int PRIMARY KEY, a text); INSERT INTO next VALUES (9, 'next'); ALTER TABLE swapped RENAME TO \
         previous; ALTER TABLE next RENAME TO swapped",
    ),
];

#[tokio::test]
async fn what_no_event_says_is_seen_and_the_tables_are_equal_again_without_help_in_json() {
    what_no_event_says_is_seen(EventFormat::Json).await;
}

#[tokio::test]
async fn what_no_event_says_is_seen_and_the_tables_are_equal_again_without_help_in_avro() {
    what_no_event_says_is_seen(EventFormat::Avro).await;
}

async fn what_no_event_says_is_seen(format: EventFormat) {
    let names: Vec<String> = CHANGES.iter().map(|(name, ..)| format!("public.{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&PipelineOptions::json(&names).format(format)).await;
    for (name, columns, _) in CHANGES {
        bench.sql(&format!("CREATE TABLE {name} {columns}")).await;
        if columns.contains("PARTITION") {
            let part =
                |part: &str, range: &str| format!("CREATE TABLE {name}_{part} PARTITION OF {name} FOR VALUES {range}");
            bench.sql(&part("low", "FROM (0) TO (1000)")).await;
            bench.sql(&part("high", "FROM (1000) TO (9000)")).await;
        }
        bench.sql(&format!("INSERT INTO {name} (id, a) SELECT n, 'row ' || n FROM generate_series(1, 2000) n")).await;
    }
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&names).await;
    for (_, _, change) in CHANGES {
        bench.sql(change).await;
    }
    // As the operator does it within a minute: another table under a name is to be published.
    bench.pipeline.publish().await.unwrap();
    bench.until_equal(&names).await;
    let streaming = |tables: &[TableView]| tables.iter().all(|table| table.phase == Phase::Streaming);
    bench.pipeline.wait_until("all are followed", streaming).await.unwrap();
    for (name, ..) in CHANGES {
        let column = if name == "renamed" { "b" } else { "a" };
        bench.sql(&format!("DELETE FROM {name} WHERE id % 2 = 1; UPDATE {name} SET {column} = {column} || '?'")).await;
    }
    bench.until_equal(&names).await;
}

#[tokio::test]
async fn a_table_that_another_one_inherits_from_stops_and_says_so() {
    let mut bench = Bench::new(&PipelineOptions::json(&["public.parent"])).await;
    bench.sql("CREATE TABLE parent (id int PRIMARY KEY, a text); INSERT INTO parent VALUES (1, 'x')").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&["public.parent"]).await;
    bench.sql("CREATE TABLE child () INHERITS (parent)").await;
    let table = bench.pipeline.until_message("public.parent", "tables that inherit from it").await.unwrap();
    assert_eq!(table.phase, Phase::Stopped);
}
