//! What the real API server refuses and accepts, and with which words. Nothing is created: every request is a dry run.

use kube::api::{Api, Patch, PatchParams, ValidationDirective};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use tributary_e2e::cluster::{Cluster, Document, Objects, SYSTEM_NAMESPACE};

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghij";

struct Server {
    cluster: Cluster,
    api: Api<DynamicObject>,
}

impl Server {
    async fn connect() -> Self {
        let cluster = Cluster::connect().await.unwrap();
        let api =
            Objects::new(&cluster.client, SYSTEM_NAMESPACE, "tributary.dev/v1alpha1", "CdcReplication").api().clone();
        Self { cluster, api }
    }

    fn good(&self) -> Document {
        Document::new(&self.cluster.services, SYSTEM_NAMESPACE, "admission", &["public.users", "public.orders"])
    }

    async fn admit(&self, document: &Document) -> kube::Result<Value> {
        let parameters =
            PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("user") };
        let patch = Patch::Apply(document.json());
        let admitted = self.api.patch(document.name(), &parameters.dry_run(), &patch).await?;
        Ok(serde_json::to_value(admitted).unwrap())
    }
}

/// Where, what, and words that the message must have: the field, and the fix.
fn bad_values() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let avro = |url: &str| json!({"avro": {"registryUrl": url}});
    vec![
        ("/metadata/name", json!(&ALPHABET[..41]), "metadata.name", "at most 40 characters"),
        ("/spec/tabels", json!([]), "spec.tabels", "field not declared in schema"),
        (
            "/spec/source/postgres/hostname",
            json!("db"),
            "spec.source.postgres.hostname",
            "field not declared in schema",
        ),
        ("/spec/source", json!({}), "spec.source", "postgres"),
        ("/spec/source/postgres/port", json!(0), "spec.source.postgres.port", "greater than or equal to 1"),
        ("/spec/source/postgres/port", json!("http"), "spec.source.postgres.port", "expected numeric"),
        ("/spec/source/postgres/database", json!(""), "spec.source.postgres.database", "at least 1 chars"),
        ("/spec/source/postgres/sslMode", json!("verify"), "spec.source.postgres.sslMode", "\"Require\""),
        (
            "/spec/source/postgres/credentials",
            json!({}),
            "spec.source.postgres.credentials.secretName",
            "Required value",
        ),
        ("/spec/tables", json!([]), "spec.tables", "at least 1 items"),
        ("/spec/tables/0/name", json!("users"), "spec.tables[0].name", "schema.table, without quotes"),
        ("/spec/tables/0/name", json!("shop.public.users"), "spec.tables[0].name", "schema.table"),
        ("/spec/tables/0/name", json!("public.\"Users\""), "spec.tables[0].name", "without quotes"),
        ("/spec/tables/1/name", json!("public.users"), "spec.tables", "duplicate entries for key"),
        ("/spec/tables/1/target", json!("public/users"), "spec.tables", "give one of them another target"),
        ("/spec/tables/1/target", json!("/abs"), "spec.tables[1].target", "relative folder such as sales/orders"),
        ("/spec/tables/1/target", json!("a/../b"), "spec.tables[1].target", "relative folder such as sales/orders"),
        ("/spec/tables/0/shapes", json!([]), "spec.tables[0].shapes", "at least 1 items"),
        ("/spec/tables/0/shapes", json!(["Mirrored"]), "spec.tables[0].shapes[0]", "\"Mirror\""),
        ("/spec/kafka", json!({}), "spec.kafka", "exactly one of kafka.strimzi and kafka.external"),
        (
            "/spec/kafka/external",
            json!({"bootstrapServers": "k:9092"}),
            "spec.kafka",
            "exactly one of kafka.strimzi and kafka.external",
        ),
        (
            "/spec/kafka",
            json!({"external": {"bootstrapServers": "kafka"}}),
            "spec.kafka.external.bootstrapServers",
            "list of host:port",
        ),
        (
            "/spec/kafka",
            json!({"external": {"bootstrapServers": "a:1, b:1"}}),
            "spec.kafka.external.bootstrapServers",
            "without spaces",
        ),
        ("/spec/kafka/strimzi/replicas", json!(0), "spec.kafka.strimzi.replicas", "greater than or equal to 1"),
        ("/spec/kafka/strimzi/storage", json!("lots"), "spec.kafka.strimzi.storage", "at least 1Gi"),
        (
            "/spec/connect",
            json!({"image": "a", "clusterName": "b"}),
            "spec.connect",
            "at most one of connect.image, connect.build and connect.clusterName",
        ),
        ("/spec/format", json!({}), "spec.format", "exactly one of format.json and format.avro"),
        ("/spec/format", avro("registry:8080"), "spec.format.avro.registryUrl", "starts with http:// or https://"),
        ("/spec/format", avro("http://r:8080"), "spec.format.avro", "set converter: Confluent"),
        (
            "/spec/destination/uri",
            json!("gs://lake/shop"),
            "spec.destination.uri",
            "s3://bucket/prefix and file:///folder",
        ),
        (
            "/spec/destination",
            json!({"uri": "file:///d", "s3": {}}),
            "spec.destination",
            "destination.uri that starts with s3://",
        ),
        ("/spec/destination/s3", json!({"endpoint": "http://m:9000"}), "spec.destination.s3", "set allowHttp: true"),
        (
            "/spec/destination/s3",
            json!({"endpoint": "m:9000"}),
            "spec.destination.s3.endpoint",
            "http://host:port or https://host:port",
        ),
        ("/spec/replicator", json!({"replicas": 0}), "spec.replicator.replicas", "greater than or equal to 1"),
        ("/spec/replicator", json!({"commitInterval": "0s"}), "spec.replicator", "commitInterval"),
        ("/spec/replicator", json!({"commitInterval": "soon"}), "spec.replicator.commitInterval", "commitInterval"),
        ("/spec/replicator", json!({"memory": "1Mi"}), "spec.replicator", "memory"),
        ("/spec/deletionPolicy", json!("Drop"), "spec.deletionPolicy", "\"Retain\""),
        ("/spec/suspend", json!("yes"), "spec.suspend", "boolean"),
    ]
}

#[tokio::test]
async fn bad_documents_are_refused_with_a_message_that_names_field_and_fix() {
    let server = Server::connect().await;
    let bad = bad_values();
    assert!(bad.len() >= 25);
    let mut wrong = Vec::new();
    for (pointer, value, field, fix) in bad {
        let answer = match server.admit(&server.good().with(pointer, value.clone())).await {
            Ok(_) => "it was accepted".to_owned(),
            Err(kube::Error::Api(status)) => status.message.clone(),
            Err(error) => error.to_string(),
        };
        println!("{pointer} = {value}\n  {answer}");
        if !(answer.contains(field) && answer.contains(fix)) {
            wrong.push(format!("{pointer} = {value}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn good_documents_are_accepted_with_the_defaults_shown() {
    let server = Server::connect().await;
    let external = json!({"external": {"bootstrapServers": "kafka-0:9092,kafka-1:9092"}});
    let avro = json!({"avro": {"registryUrl": "http://registry:8080/apis/ccompat/v7"}});
    for (pointer, value, shown, default) in [
        ("/spec/suspend", json!(false), "/spec/deletionPolicy", json!("Retain")),
        ("/spec/deletionPolicy", json!("Delete"), "/spec/suspend", json!(false)),
        ("/spec/kafka", external, "/spec/format/json", json!({})),
        ("/spec/kafka", json!({"strimzi": {}}), "/spec/kafka/strimzi", json!({"replicas": 3, "storage": "100Gi"})),
        ("/spec/format", avro, "/spec/format/avro/converter", json!("Apicurio")),
        ("/spec/connect", json!({"build": {"image": "registry/connect:1"}}), "/spec/connect/replicas", json!(1)),
        ("/spec/replicator", json!({}), "/spec/replicator/commitInterval", json!("5s")),
        ("/spec/replicator", json!({}), "/spec/replicator/memory", json!("256Mi")),
        ("/spec/tables/0/target", json!("sales/users"), "/spec/tables/0/shapes", json!(["Mirror"])),
        ("/spec/destination", json!({"uri": "s3://lake/shop"}), "/spec/source/postgres/port", json!(5432)),
    ] {
        let mut document = server.good().with(pointer, value);
        if shown == "/spec/source/postgres/port" {
            let postgres = json!({"host": "db", "database": "shop", "credentials": {"secretName": "shop-db"}});
            document = document.with("/spec/source/postgres", postgres);
        }
        let admitted = server.admit(&document).await.unwrap_or_else(|error| panic!("{pointer}: {error}"));
        let found = admitted.pointer(shown).cloned().unwrap_or_default();
        let is_right = default
            .as_object()
            .map_or(found == default, |fields| fields.iter().all(|(name, value)| found[name] == *value));
        assert!(is_right && !found.is_null(), "{shown} is {found}, and should be {default}");
    }
}
