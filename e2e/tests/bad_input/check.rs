//! `replicator check`: everything is ok, or each thing that is wrong is named with what to do.

use serde_json::json;
use tributary_e2e::pipeline::{EventFormat, PipelineOptions};
use tributary_e2e::shop;

use crate::shared::Bench;

const KEYLESS: &str = "public.keyless";

/// `replicator check` says all of this, and that it does not work.
async fn assert_complains(bench: &Bench, words: &[&str]) {
    let (status, lines) = bench.pipeline.check().await.unwrap();
    println!("{lines}");
    assert_eq!(status.code(), Some(1), "{lines}");
    for word in words {
        assert!(lines.contains(word), "\"{word}\" is not in:\n{lines}");
    }
}

#[tokio::test]
async fn check_says_ok_of_each_thing_that_a_running_replication_uses() {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).format(EventFormat::Avro)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    // There is a topic when something changes.
    bench.sql("UPDATE users SET active = NOT active").await;
    bench.until_equal(&shop::TABLES).await;
    let (status, lines) = bench.pipeline.check().await.unwrap();
    println!("{lines}");
    assert!(status.success() && lines.lines().all(|line| line.starts_with("ok   ")), "{lines}");
    for start in [
        "document",
        "source",
        "kafka",
        "registry",
        "table public.users",
        "topic",
        "destination s3://",
        "delta table s3://",
    ] {
        assert!(lines.contains(&format!("ok   {start}")), "\"{start}\" is not in:\n{lines}");
    }
}

#[tokio::test]
async fn check_names_each_thing_that_is_wrong_at_once() {
    let mut bench = Bench::new(&PipelineOptions::json(&[KEYLESS])).await;
    bench.sql("CREATE TABLE keyless (a int, b text); INSERT INTO keyless VALUES (1, 'x')").await;
    bench.pipeline.connect().await.unwrap();
    let bucket = format!("no-lake-{}", bench.pipeline.name());
    bench.pipeline.edit(|document| {
        document["spec"]["destination"]["uri"] = json!(format!("s3://{bucket}/shop"));
        document["spec"]["tables"].as_array_mut().unwrap().push(json!({ "name": "public.later" }));
    });
    let missing = format!("there is no bucket {bucket}");
    let words =
        ["FAIL table public.keyless", "ADD PRIMARY KEY", "FAIL table public.later", "no table public.later", &missing];
    assert_complains(&bench, &words).await;
}

#[tokio::test]
async fn check_names_what_cannot_be_reached_and_what_is_missing() {
    let mut bench = Bench::new(&PipelineOptions::json(&["public.users"]).format(EventFormat::Avro)).await;
    // Free a moment ago: nobody answers.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.pipeline.edit(|document| {
        document["spec"]["kafka"]["external"]["bootstrapServers"] = json!(free.to_string());
        document["spec"]["format"]["avro"]["registryUrl"] = json!(format!("http://{free}/apis/ccompat/v7"));
        document["spec"]["destination"]["s3"]["endpoint"] = json!(format!("http://{free}"));
    });
    let (kafka, registry) = (format!("FAIL kafka {free}"), format!("FAIL registry http://{free}/"));
    assert_complains(&bench, &[&kafka, &registry, "FAIL destination s3://lake/", "fix: check spec.kafka.external"])
        .await;
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["credentials"]["secretName"] = json!("keys"));
    assert_complains(&bench, &["FAIL secrets", "the Secret keys", "create it, with the value of AWS_ACCESS_KEY_ID"])
        .await;
}
