//! Checks against librdkafka's own mock brokers with recorded messages, a folder, and servers that answer one thing.

use std::fs;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tributary_crds::document;

use super::{CheckLine, Finding, check, file};
use crate::settings::{Secrets, Settings, Shard};

const PATIENCE: Duration = Duration::from_secs(20);

/// Settings for the tables of a namespace and name that make the topic prefix `js.x`.
fn settings(bootstrap: &str, tables: &[&str], rest: &str) -> Settings {
    let tables: Vec<String> = tables.iter().map(|table| format!("{{name: {table}}}")).collect();
    let resource = document::parse(&format!(
        r"
apiVersion: tributary.dev/v1alpha1
kind: CdcReplication
metadata: {{name: x, namespace: js}}
spec:
  source: {{postgres: {{host: db, database: app, credentials: {{secretName: db}}}}}}
  tables: [{}]
  kafka: {{external: {{bootstrapServers: '{bootstrap}'}}}}
  replicator: {{copy: {{connections: 0}}}}
{rest}",
        tables.join(", ")
    ));
    Settings::resolve(&resource.unwrap(), &Secrets::new(None), Shard::ALL).unwrap()
}

fn folder(directory: &tempfile::TempDir) -> String {
    format!("  destination: {{uri: 'file://{}'}}", directory.path().display())
}

/// One broker that has the recorded messages of these tables, and nothing else.
fn kafka(tables: &[&str]) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    let lines = |text: &'static str| text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let schemas: Vec<Value> = lines(include_str!("../../tests/data/postgres-json-schemas.jsonl")).collect();
    let with_schema = |part: &Value| {
        let schema = &schemas[usize::try_from(part["schema"].as_u64()?).unwrap()];
        Some(serde_json::json!({"schema": schema, "payload": part["payload"]}).to_string())
    };
    for table in tables {
        let topic = format!("js.x.{table}");
        cluster.create_topic(&topic, 1, 1).unwrap();
        for message in lines(include_str!("../../tests/data/postgres-json.jsonl")).filter(|it| it["topic"] == **table) {
            let (key, value) = (with_schema(&message["key"]), with_schema(&message["value"]));
            let mut record = BaseRecord::<str, str>::to(&topic).partition(0);
            record.key = key.as_deref();
            record.payload = value.as_deref();
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(PATIENCE).unwrap();
    cluster
}

fn line<'a>(lines: &'a [CheckLine], what: &str) -> &'a CheckLine {
    lines.iter().find(|line| line.what.starts_with(what)).unwrap_or_else(|| panic!("no line about {what}: {lines:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_used_is_ok_and_leaves_nothing_behind() {
    let (kafka, directory) = (kafka(&["public.orders"]), tempfile::tempdir().unwrap());
    let lines = check(&settings(&kafka.bootstrap_servers(), &["public.orders"], &folder(&directory))).await;
    assert!(!lines.iter().any(CheckLine::is_problem), "{lines:?}");
    assert!(line(&lines, "kafka").to_string().ends_with("(1 broker)"), "{lines:?}");
    assert_eq!(line(&lines, "table public.orders").found, Finding::Ok("key id".to_owned()));
    assert_eq!(line(&lines, "destination file:///").found, Finding::Ok("writable".to_owned()));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_a_warning_and_an_empty_one_is_fine() {
    let (kafka, directory) = (kafka(&["public.empty"]), tempfile::tempdir().unwrap());
    let tables = ["public.empty", "public.later"];
    let lines = check(&settings(&kafka.bootstrap_servers(), &tables, &folder(&directory))).await;
    assert_eq!(line(&lines, "table public.empty").found, Finding::Ok("topic without rows yet".to_owned()));
    let later = line(&lines, "topic js.x.public.later");
    assert!(matches!(later.found, Finding::Warning { .. }) && later.to_string().contains("first row"), "{later}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_is_a_problem() {
    let (kafka, directory) = (kafka(&["public.nopk_full"]), tempfile::tempdir().unwrap());
    let lines = check(&settings(&kafka.bootstrap_servers(), &["public.nopk_full"], &folder(&directory))).await;
    let table = line(&lines, "table public.nopk_full");
    assert!(table.is_problem() && table.to_string().contains("fix: add a primary key"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_decoded_is_named_with_its_offset() {
    let (kafka, directory) = (kafka(&[]), tempfile::tempdir().unwrap());
    kafka.create_topic("js.x.public.users", 1, 1).unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap_servers()).create().unwrap();
    producer.send(BaseRecord::to("js.x.public.users").partition(0).key("k").payload("garbage")).unwrap();
    producer.flush(PATIENCE).unwrap();
    let lines = check(&settings(&kafka.bootstrap_servers(), &["public.users"], &folder(&directory))).await;
    let table = line(&lines, "table public.users");
    assert!(table.is_problem() && table.to_string().contains("offset 0 of js.x.public.users"), "{table}");
    assert!(!table.to_string().contains("garbage"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_table_that_is_not_ours_is_a_problem() {
    let (kafka, directory) = (kafka(&["public.orders"]), tempfile::tempdir().unwrap());
    let log = directory.path().join("public/orders/_delta_log");
    fs::create_dir_all(&log).unwrap();
    let schema = serde_json::json!({
        "type": "struct",
        "fields": [{ "name": "id", "type": "long", "nullable": true, "metadata": {} }],
    });
    let metadata = serde_json::json!({ "metaData": {
        "id": "7f5cb9c2-9d4e-4f0e-8c49-6a4be2c3c0a1", "format": { "provider": "parquet", "options": {} },
        "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {}, "createdTime": 0,
    } });
    let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
    fs::write(log.join("00000000000000000000.json"), format!("{protocol}\n{metadata}\n")).unwrap();
    let lines = check(&settings(&kafka.bootstrap_servers(), &["public.orders"], &folder(&directory))).await;
    let table = line(&lines, "delta table file:///");
    assert!(table.is_problem(), "{table}");
    let text = table.to_string();
    assert!(text.contains("did not make") && text.contains("fix: Choose another `target`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_a_file_is_told_of_folders_and_not_of_s3() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lake");
    fs::write(&path, "").unwrap();
    let rest = format!("  destination: {{uri: 'file://{}'}}", path.display());
    let line = super::storage::check(&settings("127.0.0.1:1", &["public.users"], &rest).storage).await;
    let text = line.to_string();
    assert!(line.is_problem() && text.contains("make spec.destination.uri a folder"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_services_are_each_named() {
    // A port that was free a moment ago: nobody answers.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let rest = format!(
        "  format: {{avro: {{registryUrl: 'http://{free}/apis/ccompat/v7'}}}}\n  destination: {{uri: 's3://lake/shop', \
         s3: {{endpoint: 'http://{free}', allowHttp: true}}}}"
    );
    let mut settings = settings(&free.to_string(), &["public.users"], &rest);
    no_chain(&mut settings);
    let lines = check(&settings).await;
    for (what, word) in [("kafka", "reached"), ("registry", "does not answer"), ("destination", "cannot write")] {
        let line = line(&lines, what);
        assert!(line.is_problem() && line.to_string().contains(word), "{line}");
        assert!(line.to_string().contains("\n     fix: "), "{line}");
    }
    assert_eq!(lines.len(), 3, "{lines:?}");
}

/// Fixed credentials, so that the test asks no metadata service for some.
fn no_chain(settings: &mut Settings) {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        settings.storage.options.insert(name.to_owned(), "test".to_owned());
    }
}

/// Answers every request with one status and body.
async fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16384];
            let _ = stream.read(&mut request).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\netag: \"1\"\r\n\
                 last-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_refuses_is_told_apart() {
    for (status, body, wrong, fix) in [
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", "no bucket lake", "create the bucket"),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", "may not write", "s3:PutObject"),
        ("403 Forbidden", "<Error><Code>InvalidAccessKeyId</Code></Error>", "credentials are refused", "Secret of"),
        ("403 Forbidden", "<Error><Code>SignatureDoesNotMatch</Code></Error>", "credentials are refused", "Secret of"),
        ("400 Bad Request", "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "another region", "s3.region"),
        (
            "400 Bad Request",
            "<Error><Code>KeyTooLongError</Code></Error>",
            "cannot write an object: KeyToo",
            "endpoint",
        ),
        ("200 OK", "", "overwrites", "conditional writes"),
    ] {
        let endpoint = server(status, body).await;
        let rest = format!("  destination: {{uri: 's3://lake/shop', s3: {{endpoint: '{endpoint}', allowHttp: true}}}}");
        let mut settings = settings("127.0.0.1:1", &["public.users"], &rest);
        no_chain(&mut settings);
        let line = super::storage::check(&settings.storage).await;
        let text = line.to_string();
        assert!(line.is_problem() && text.contains(wrong) && text.contains(fix), "{status} {body}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_none_or_refuses_is_told_apart() {
    for (status, body, wrong) in [
        ("401 Unauthorized", "", "refuses access"),
        ("404 Not Found", "", "not a schema registry"),
        ("200 OK", "hello", "not a schema registry"),
        ("500 Internal Server Error", "", "answers 500"),
    ] {
        let url = format!("{}/apis/ccompat/v7", server(status, body).await);
        let directory = tempfile::tempdir().unwrap();
        let rest = format!("  format: {{avro: {{registryUrl: '{url}'}}}}\n{}", folder(&directory));
        let line = super::registry::check(&settings("127.0.0.1:1", &["public.users"], &rest).format).await.unwrap();
        assert!(line.is_problem() && line.to_string().contains(wrong), "{line}");
    }
    let directory = tempfile::tempdir().unwrap();
    let rest = format!(
        "  format: {{avro: {{registryUrl: '{}/apis/ccompat/v7'}}}}\n{}",
        server("200 OK", "[]").await,
        folder(&directory)
    );
    let line = super::registry::check(&settings("127.0.0.1:1", &["public.users"], &rest).format).await.unwrap();
    assert!(!line.is_problem(), "{line}");
}

#[test]
fn a_line_reads_well_on_a_terminal() {
    let ok = CheckLine::new("kafka 127.0.0.1:9092", Finding::Ok("1 broker".to_owned()));
    assert_eq!(ok.to_string(), "ok   kafka 127.0.0.1:9092 (1 broker)");
    let problem = CheckLine::new("destination s3://lake", Finding::problem("there is no bucket lake", "create it"));
    assert_eq!(problem.to_string(), "FAIL destination s3://lake: there is no bucket lake\n     fix: create it");
}

#[tokio::test]
async fn a_document_that_is_wrong_is_said_with_all_its_fixes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.yaml");
    fs::write(&path, "apiVersion: tributary.dev/v1alpha1\nkind: CdcReplication\nmetadata: {}\nspec: {tabels: []}")
        .unwrap();
    let lines = file(&path, &Secrets::new(None), Shard::ALL).await;
    let text = lines[0].to_string();
    assert!(text.starts_with("FAIL document ") && text.contains("shop.yaml"), "{text}");
    assert!(text.contains("did you mean tables?") && text.contains("add source."), "{text}");
    assert_eq!(lines.len(), 1);
}

/// A document in a folder, with this as its Kafka.
fn document_with_kafka(directory: &tempfile::TempDir, kafka: &str) -> std::path::PathBuf {
    let path = directory.path().join("shop.yaml");
    let text = format!(
        "apiVersion: tributary.dev/v1alpha1\nkind: CdcReplication\nmetadata: {{name: x}}\nspec:\n  source: {{postgres: \
         {{host: db, database: app, credentials: {{secretName: db}}}}}}\n  tables: [{{name: public.users}}]\n  kafka: \
         {kafka}\n  destination: {{uri: 's3://lake'}}\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_kafka_that_only_the_operator_can_make_is_a_problem_of_kafka() {
    let directory = tempfile::tempdir().unwrap();
    let path = document_with_kafka(&directory, "{strimzi: {}}");
    let lines = file(&path, &Secrets::new(None), Shard::ALL).await;
    let text = lines[1].to_string();
    assert!(text.starts_with("FAIL kafka: ") && text.contains("spec.kafka.external.bootstrapServers"), "{text}");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let sasl = "bootstrapServers: 'kafka:9092', sasl: {mechanism: Plain, credentials: {secretName: login}}";
    let path = document_with_kafka(&directory, &format!("{{external: {{{sasl}}}}}"));
    let lines = file(&path, &Secrets::new(Some(directory.path())), Shard::ALL).await;
    assert!(!lines[0].is_problem() && lines[0].to_string().contains("(1 table)"), "{lines:?}");
    let text = lines[1].to_string();
    assert!(text.starts_with("FAIL secrets: ") && text.contains("there is no file"), "{text}");
}
