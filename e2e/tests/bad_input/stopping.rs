//! What stops one table until somebody has done something; the others go on.

use serde_json::json;
use tributary_e2e::pipeline::{EventFormat, Phase, PipelineOptions, TableView};
use tributary_e2e::shop;
use tributary_e2e::stack::{Gate, GateMode, Part};

use crate::shared::Bench;

const USERS: &str = "public.users";
const ORDERS: &str = "public.orders";
const PRODUCTS: &str = "public.products";

async fn running_bench(format: EventFormat) -> Bench {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).format(format)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench.pipeline.edit(|document| document["spec"]["onSourceChange"] = json!("Stop"));
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    // So that there are topics.
    bench.sql("UPDATE users SET active = NOT active").await;
    bench.sql("UPDATE orders SET quantity = quantity + 1; UPDATE products SET stock = stock + 1").await;
    bench.until_equal(&shop::TABLES).await;
    bench
}

/// The table has failed, and its message has all these words.
async fn until_failed(bench: &Bench, table: &str, words: &[&str]) {
    let says = |view: &TableView| {
        let message = view.message.as_deref().unwrap_or_default();
        view.name == table && view.phase == Phase::Stopped && words.iter().all(|words| message.contains(words))
    };
    let failed = |tables: &[TableView]| tables.iter().any(says);
    bench.pipeline.wait_until(&format!("{table} stops with {words:?}"), failed).await.unwrap();
    println!("{}", bench.pipeline.table(table).await.unwrap().message.unwrap());
}

/// The others still follow their sources.
async fn assert_the_others_go_on(bench: &Bench) {
    bench.sql("UPDATE orders SET quantity = quantity + 1; UPDATE products SET stock = stock + 1").await;
    bench.until_equal(&[ORDERS, PRODUCTS]).await;
    let (ready, text) = bench.pipeline.ready().await.unwrap();
    assert!(!ready && text.starts_with("public.users: Stopped: ") && text.lines().count() == 1, "{text}");
}

#[tokio::test]
async fn a_message_that_is_no_event_stops_its_table_alone_and_is_never_skipped() {
    let mut bench = running_bench(EventFormat::Json).await;
    let topic = bench.pipeline.topic(USERS).unwrap();
    let at = bench.pipeline.stack().end_offset(&topic).await.unwrap();
    bench.pipeline.stack().produce(&topic, b"key", b"garbage").await.unwrap();
    bench.sql("UPDATE users SET name = name || '?'").await;
    let place = format!("cannot decode offset {at} of {topic}, partition 0");
    until_failed(&bench, USERS, &[&place, "is not JSON", "Something other than the connector wrote"]).await;
    assert_the_others_go_on(&bench).await;

    // A restart stops at the same place, and the table is what it was before the garbage.
    bench.pipeline.restart().unwrap();
    until_failed(&bench, USERS, &[&place]).await;
    let log = bench.pipeline.delta_log(USERS).await.unwrap();
    assert_eq!(log.check_offsets(&topic).unwrap(), at);

    // Nor is the gap overlooked that is left when the message is deleted.
    bench.pipeline.stack().delete_messages(&topic, at + 1).await.unwrap();
    bench.pipeline.restart().unwrap();
    until_failed(&bench, USERS, &[&format!("deleted offsets {at} to {}", at + 1), "copied anew"]).await;
    assert_the_others_go_on(&bench).await;

    // What it says to do cures it.
    bench.pipeline.resync(USERS).await.unwrap();
    bench.until_equal(&[USERS]).await;
}

#[tokio::test]
async fn a_message_of_a_schema_that_the_registry_does_not_know_stops_its_table_until_it_does() {
    let mut bench = Bench::new(&PipelineOptions::json(&[USERS]).format(EventFormat::Avro)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench.pipeline.connect().await.unwrap();
    let gate = Gate::before(Part::Registry, bench.pipeline.stack().addresses()).await.unwrap();
    gate.set(GateMode::NotFound);
    let url = format!("{}/apis/ccompat/v7", gate.url());
    bench.pipeline.edit(|document| document["spec"]["format"]["avro"]["registryUrl"] = json!(url));
    bench.pipeline.replicate().unwrap();
    let copied = |tables: &[TableView]| tables[0].rows.is_some();
    bench.pipeline.wait_until("the rows are copied", copied).await.unwrap();
    bench.sql("UPDATE users SET active = NOT active").await;
    let topic = bench.pipeline.topic(USERS).unwrap();
    let place = format!("cannot decode offset 0 of {topic}, partition 0");
    until_failed(&bench, USERS, &[&place, "knows no schema with id"]).await;
    gate.set(GateMode::Open);
    bench.pipeline.restart().unwrap();
    bench.until_equal(&[USERS]).await;
}

#[tokio::test]
async fn a_topic_that_was_created_again_and_has_grown_past_the_applied_offset_stops_its_table() {
    let mut bench = running_bench(EventFormat::Json).await;
    let untouched = bench.pipeline.delta_log(USERS).await.unwrap().version();
    bench.pipeline.kill_9();
    create_again(&bench, USERS).await;
    bench.pipeline.replicate().unwrap();
    let words =
        ["is not the one that the table has applied", "deleted and created again", "nothing was applied from it"];
    until_failed(&bench, USERS, &words).await;
    assert_the_others_go_on(&bench).await;
    assert_eq!(bench.pipeline.delta_log(USERS).await.unwrap().version(), untouched);

    // By default it cures itself.
    bench.pipeline.edit(|document| document["spec"]["onSourceChange"] = json!("Resync"));
    bench.pipeline.restart().unwrap();
    bench.until_equal(&[USERS]).await;
}

#[tokio::test]
async fn a_topic_that_is_created_again_while_it_is_read_stops_its_table() {
    let bench = running_bench(EventFormat::Json).await;
    let untouched = bench.pipeline.delta_log(USERS).await.unwrap().version();
    create_again(&bench, USERS).await;
    // Which of the two it sees depends on how soon it looks.
    until_failed(&bench, USERS, &["was deleted"]).await;
    assert_the_others_go_on(&bench).await;
    assert_eq!(bench.pipeline.delta_log(USERS).await.unwrap().version(), untouched);
}

/// Deletes a table's topic and creates it anew, with twice the messages: all of them events that could be applied.
async fn create_again(bench: &Bench, table: &str) {
    let (stack, topic) = (bench.pipeline.stack(), bench.pipeline.topic(table).unwrap());
    let end = stack.end_offset(&topic).await.unwrap();
    let messages = stack.last_messages(&topic, end).await.unwrap();
    stack.delete_topic(&topic).await.unwrap();
    stack.create_topic(&topic, 1).await.unwrap();
    for _ in 0..2 {
        stack.produce_again(messages.clone()).await.unwrap();
    }
    assert!(stack.end_offset(&topic).await.unwrap() > end);
}

#[tokio::test]
async fn an_event_that_was_unwrapped_stops_its_table() {
    let bench = running_bench(EventFormat::Json).await;
    let topic = bench.pipeline.topic(USERS).unwrap();
    let schema = |fields| json!({ "type": "struct", "optional": false, "fields": fields });
    let id = schema(json!([{ "field": "id", "type": "int64", "optional": false }]));
    let row = json!({ "schema": id, "payload": { "id": 1 } }).to_string();
    bench.pipeline.stack().produce(&topic, row.as_bytes(), row.as_bytes()).await.unwrap();
    until_failed(&bench, USERS, &["is not a Debezium envelope", "ExtractNewRecordState"]).await;
    assert_the_others_go_on(&bench).await;
}

#[tokio::test]
async fn a_delta_table_that_is_not_ours_is_refused_and_left_untouched() {
    let mut bench = running_bench(EventFormat::Json).await;
    let untouched = bench.pipeline.delta_log(ORDERS).await.unwrap().version();
    // Users are sent where the orders are.
    bench.pipeline.edit(|document| {
        for table in document["spec"]["tables"].as_array_mut().unwrap() {
            table["target"] = match table["name"].as_str().unwrap() {
                USERS => json!("public/orders"),
                ORDERS => json!("elsewhere"),
                _ => json!("public/products"),
            };
        }
    });
    let elsewhere = bench.pipeline.location(USERS).unwrap();
    bench.pipeline.restart().unwrap();
    let words =
        ["is a Delta table that this replication did not make", "it is left untouched", "Choose another `target`"];
    until_failed(&bench, USERS, &words).await;
    assert_the_others_go_on(&bench).await;
    let log = tributary_e2e::pipeline::DeltaLog::read(&elsewhere).await.unwrap();
    assert_eq!(log.version(), untouched);
}

#[tokio::test]
async fn a_table_without_a_key_is_refused_with_what_to_do() {
    let mut bench = Bench::new(&PipelineOptions::json(&["public.keyless", USERS])).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench.sql("CREATE TABLE keyless (a int, b text); INSERT INTO keyless VALUES (1, 'x')").await;
    bench.pipeline.start().await.unwrap();
    until_failed(&bench, "public.keyless", &["the source table has no primary key", "Add a primary key"]).await;
    bench.until_equal(&[USERS]).await;
    assert!(bench.pipeline.delta_log("public.keyless").await.unwrap().commits.is_empty());
}

#[tokio::test]
async fn an_avro_column_whose_nulls_become_its_default_is_warned_of() {
    let mut bench = Bench::new(&PipelineOptions::json(&["public.defaults"]).format(EventFormat::Avro)).await;
    bench.sql("CREATE TABLE defaults (id int PRIMARY KEY, level int DEFAULT 7, name text)").await;
    bench.sql("INSERT INTO defaults VALUES (1, 1, 'x')").await;
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&["public.defaults"]).await;
    bench.sql("UPDATE defaults SET name = 'y'").await;
    bench.until_equal(&["public.defaults"]).await;
    let warnings = bench.pipeline.table("public.defaults").await.unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("level") && warnings[0].contains("ignore.default.for.nullables"), "{warnings:?}");
}
