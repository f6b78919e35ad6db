//! What is not there yet: the replicator says what it waits for, and goes on by itself when it comes.

use serde_json::json;
use tributary_e2e::pipeline::{EventFormat, PipelineOptions};
use tributary_e2e::shop;
use tributary_e2e::stack::{Gate, GateMode, Part};

use crate::shared::Bench;

const USERS: &str = "public.users";

/// A small shop whose users are to be replicated.
async fn bench(format: EventFormat) -> Bench {
    let bench = Bench::new(&PipelineOptions::json(&[USERS]).format(format)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench
}

/// Waits until `/readyz` is negative and says this, and shows it.
async fn until_it_waits_for(bench: &Bench, words: &[&str]) {
    let mut said = String::new();
    let says = async || {
        let Ok((ready, text)) = bench.pipeline.ready().await else { return false };
        said = text;
        !ready && words.iter().all(|words| said.contains(words))
    };
    bench.pipeline.wait(&format!("/readyz says {words:?}"), says).await.unwrap();
    println!("{said}");
}

async fn until_it_is_ready_and_equal(bench: &Bench) {
    bench.until_equal(&[USERS]).await;
    let ready = async || bench.pipeline.ready().await.is_ok_and(|(ready, _)| ready);
    bench.pipeline.wait("it is ready", ready).await.unwrap();
}

#[tokio::test]
async fn a_publication_and_a_slot_that_do_not_exist_are_waited_for_and_a_topic_is_not_needed() {
    let mut bench = bench(EventFormat::Json).await;
    bench.pipeline.replicate().unwrap();
    until_it_waits_for(&bench, &["the publication tributary_e2e_", "does not have the table public.users yet"]).await;
    bench.pipeline.publish().await.unwrap();
    until_it_waits_for(&bench, &["the replication slot tributary_e2e_", "is not there yet", "check that it runs"])
        .await;
    bench.pipeline.connect().await.unwrap();
    until_it_is_ready_and_equal(&bench).await;
    let topic = bench.pipeline.topic(USERS).unwrap();
    let sent = bench.pipeline.stack().end_offset(&topic).await.unwrap_or(0);
    assert_eq!(sent, 0, "rows of the first copy went through Kafka");
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_is_waited_for() {
    let mut bench = bench(EventFormat::Json).await;
    bench.pipeline.connect().await.unwrap();
    // Only the first connection goes to this address; the others go to where the broker says it is.
    let gate = Gate::before(Part::Kafka, bench.pipeline.stack().addresses()).await.unwrap();
    gate.set(GateMode::Refused);
    let address = gate.url().replace("http://", "");
    bench.pipeline.edit(|document| document["spec"]["kafka"]["external"]["bootstrapServers"] = json!(address));
    bench.pipeline.replicate().unwrap();
    until_it_waits_for(&bench, &["Kafka", &address]).await;
    gate.set(GateMode::Open);
    until_it_is_ready_and_equal(&bench).await;
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_waited_for() {
    let mut bench = bench(EventFormat::Avro).await;
    bench.pipeline.connect().await.unwrap();
    let gate = Gate::before(Part::Registry, bench.pipeline.stack().addresses()).await.unwrap();
    gate.set(GateMode::Refused);
    let url = format!("{}/apis/ccompat/v7", gate.url());
    bench.pipeline.edit(|document| document["spec"]["format"]["avro"]["registryUrl"] = json!(url));
    bench.pipeline.replicate().unwrap();
    bench.until_equal(&[USERS]).await;
    // The first copy needs no schema, the first event does.
    bench.sql("UPDATE users SET active = NOT active").await;
    until_it_waits_for(&bench, &[&format!("the schema registry at {url} does not answer"), "Check that it runs"]).await;
    gate.set(GateMode::Unavailable);
    until_it_waits_for(&bench, &["answers 503"]).await;
    gate.set(GateMode::Open);
    until_it_is_ready_and_equal(&bench).await;
}

#[tokio::test]
async fn a_secret_that_is_missing_is_waited_for() {
    let mut bench = bench(EventFormat::Json).await;
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["credentials"]["secretName"] = json!("keys"));
    bench.pipeline.connect().await.unwrap();
    bench.pipeline.replicate().unwrap();
    until_it_waits_for(&bench, &["the Secret keys", "create it, with the value of AWS_ACCESS_KEY_ID"]).await;
    bench.pipeline.secret("keys", &[("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]).unwrap();
    until_it_is_ready_and_equal(&bench).await;
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_waited_for() {
    let mut bench = bench(EventFormat::Json).await;
    let bucket = format!("no-lake-yet-{}", bench.pipeline.name());
    bench.pipeline.edit(|document| document["spec"]["destination"]["uri"] = json!(format!("s3://{bucket}/shop")));
    bench.pipeline.start().await.unwrap();
    until_it_waits_for(&bench, &[&bucket, "NoSuchBucket"]).await;
    bench.pipeline.stack().create_bucket(&bucket).await.unwrap();
    until_it_is_ready_and_equal(&bench).await;
}

#[tokio::test]
async fn a_storage_that_denies_access_is_asked_again() {
    let mut bench = bench(EventFormat::Json).await;
    let gate = Gate::before(Part::S3, bench.pipeline.stack().addresses()).await.unwrap();
    gate.set(GateMode::Forbidden);
    bench.pipeline.edit(|document| document["spec"]["destination"]["s3"]["endpoint"] = json!(gate.url()));
    bench.pipeline.start().await.unwrap();
    until_it_waits_for(&bench, &["s3://lake/", "Access Denied"]).await;
    gate.set(GateMode::Open);
    until_it_is_ready_and_equal(&bench).await;
}
