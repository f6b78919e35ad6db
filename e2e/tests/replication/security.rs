//! Encrypted and authenticated ways to Kafka and to the registry.

use std::path::Path;

use serde_json::json;
use tributary_e2e::pipeline::{EventFormat, PipelineOptions};
use tributary_e2e::shop;
use tributary_e2e::stack::{SCRAM_PASSWORD, SCRAM_USER};

use crate::shared::Bench;
use crate::shared::locked_registry::{LockedRegistry, PASSWORD, USER};

const USERS: &str = "public.users";

async fn connected(format: EventFormat) -> Bench {
    let bench = Bench::new(&PipelineOptions::json(&[USERS]).format(format)).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 200).await.unwrap();
    bench.pipeline.connect().await.unwrap();
    bench
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Waits until the replicator says that it cannot get in, and why.
async fn until_refused(bench: &Bench, words: &str) {
    let mut said = String::new();
    let refused = async || {
        let Ok((_, text)) = bench.pipeline.ready().await else { return false };
        said = text;
        said.contains(words)
    };
    bench.pipeline.wait(&format!("/readyz says {words:?}"), refused).await.unwrap();
    println!("{said}");
    assert!(!bench.pipeline.log().unwrap().contains("not the password"), "a secret was logged");
}

#[tokio::test]
async fn kafka_with_tls_and_scram_is_read_and_a_wrong_password_is_said() {
    let mut bench = connected(EventFormat::Json).await;
    let stack = bench.pipeline.stack().clone();
    bench.pipeline.secret("kafka-ca", &[("ca.crt", &text(&stack.tls().ca_pem))]).unwrap();
    bench.pipeline.secret("kafka-user", &[("username", SCRAM_USER), ("password", "not the password")]).unwrap();
    bench.pipeline.edit(|document| {
        document["spec"]["kafka"]["external"] = json!({
            "bootstrapServers": stack.addresses().scram_bootstrap_servers(),
            "tls": { "caSecret": { "secretName": "kafka-ca" } },
            "sasl": { "mechanism": "ScramSha512", "credentials": { "secretName": "kafka-user" } },
        });
    });
    bench.pipeline.replicate().unwrap();
    until_refused(&bench, "Kafka refused the login").await;
    bench.pipeline.secret("kafka-user", &[("password", SCRAM_PASSWORD)]).unwrap();
    bench.pipeline.restart().unwrap();
    bench.until_equal(&[USERS]).await;
}

#[tokio::test]
async fn kafka_with_mutual_tls_is_read_and_an_authority_that_is_not_known_is_said() {
    let mut bench = connected(EventFormat::Json).await;
    let stack = bench.pipeline.stack().clone();
    let tls = stack.tls();
    let own = [("tls.crt", text(&tls.client_cert_pem)), ("tls.key", text(&tls.client_key_pem))];
    bench.pipeline.secret("kafka-user", &own.each_ref().map(|(key, value)| (*key, value.as_str()))).unwrap();
    // The client's certificate has signed nothing.
    bench.pipeline.secret("kafka-ca", &[("ca.crt", &text(&tls.client_cert_pem))]).unwrap();
    bench.pipeline.edit(|document| {
        document["spec"]["kafka"]["external"] = json!({
            "bootstrapServers": stack.addresses().mtls_bootstrap_servers(),
            "tls": { "caSecret": { "secretName": "kafka-ca" }, "clientCertificate": { "secretName": "kafka-user" } },
        });
    });
    bench.pipeline.replicate().unwrap();
    until_refused(&bench, "TLS with Kafka failed").await;
    bench.pipeline.secret("kafka-ca", &[("ca.crt", &text(&tls.ca_pem))]).unwrap();
    bench.pipeline.restart().unwrap();
    bench.until_equal(&[USERS]).await;
}

#[tokio::test]
async fn a_registry_with_tls_and_a_login_is_asked_and_a_wrong_password_is_said() {
    let mut bench = connected(EventFormat::Avro).await;
    let registry = LockedRegistry::start(bench.pipeline.stack()).await;
    bench.pipeline.secret("registry-ca", &[("ca.crt", registry.ca_pem())]).unwrap();
    bench.pipeline.secret("registry", &[("username", USER), ("password", "not the password")]).unwrap();
    bench.pipeline.edit(|document| {
        document["spec"]["format"]["avro"] = json!({
            "registryUrl": registry.url(),
            "credentials": { "secretName": "registry" },
            "tls": { "caSecret": { "secretName": "registry-ca" } },
        });
    });
    bench.pipeline.replicate().unwrap();
    bench.until_equal(&[USERS]).await;
    // The first copy needs no schema, the first event does.
    bench.sql("UPDATE users SET active = NOT active").await;
    until_refused(&bench, "refuses access (401 Unauthorized)").await;
    bench.pipeline.secret("registry", &[("password", PASSWORD)]).unwrap();
    bench.pipeline.restart().unwrap();
    bench.until_equal(&[USERS]).await;
}
