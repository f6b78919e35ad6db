//! One whole stack on free ports.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use reqwest::StatusCode;
use tributary_e2e::stack::{
    Addresses, Gate, GateMode, POSTGRES_PASSWORD, POSTGRES_USER, Part, ProcessId, SCRAM_PASSWORD, SCRAM_USER, Stack,
    StackOptions,
};

#[tokio::test]
async fn a_whole_stack_replicates_survives_kills_and_leaves_nothing_behind() {
    let stack = Stack::up(StackOptions::default()).await.unwrap();
    let addresses = stack.addresses().clone();
    create_table(&addresses).await;

    for (name, converter) in [("plain", json()), ("avro", avro(&addresses))] {
        stack.register_connector(name, &connector(&addresses, name, converter)).await.unwrap();
        let topic = format!("{name}.public.users");
        let first = consume(&plain(&addresses), &topic, 1).await.remove(0);
        let start: &[u8] = if name == "avro" { &[0, 0, 0, 0] } else { b"{\"schema\":" };
        assert!(first.starts_with(start), "{name}: {:?}", String::from_utf8_lossy(&first));
    }
    a_wrong_connector_is_refused_with_the_reason(&stack).await;
    kafka_answers_at_its_secure_doors(&stack).await;
    the_registry_keeps_its_schemas_over_a_restart(&stack).await;
    a_gate_closes_s3_in_three_ways(&stack).await;
    kafka_comes_back_with_its_messages(&stack).await;

    let processes: Vec<ProcessId> = stack.processes().into_values().collect();
    assert_eq!(processes.len(), Part::ALL.len());
    let directory = stack.directory().to_owned();
    drop(stack);
    super::until_gone(&processes).await;
    assert!(!directory.exists());
}

async fn create_table(addresses: &Addresses) {
    execute(addresses, "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'Ada')").await;
}

async fn execute(addresses: &Addresses, sql: &str) {
    let (client, connection) =
        tokio_postgres::connect(&addresses.postgres_url("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

fn connector(addresses: &Addresses, name: &str, converter: Vec<(&str, String)>) -> BTreeMap<String, String> {
    let slot = format!("slot_{name}");
    let host = addresses.bind.to_string();
    let port = addresses.postgres.to_string();
    let fixed = [
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
        ("plugin.name", "pgoutput"),
        ("publication.autocreate.mode", "filtered"),
        ("database.hostname", &host),
        ("database.port", &port),
        ("database.user", POSTGRES_USER),
        ("database.password", POSTGRES_PASSWORD),
        ("database.dbname", "postgres"),
        ("table.include.list", "public.users"),
        ("topic.prefix", name),
        ("slot.name", &slot),
        ("publication.name", &slot),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let converter = converter
        .into_iter()
        .flat_map(|(name, value)| ["key", "value"].map(|side| (format!("{side}.{name}"), value.clone())));
    fixed.into_iter().chain(converter).collect()
}

fn json() -> Vec<(&'static str, String)> {
    vec![("converter", "org.apache.kafka.connect.json.JsonConverter".into())]
}

fn avro(addresses: &Addresses) -> Vec<(&'static str, String)> {
    vec![
        ("converter", "io.apicurio.registry.utils.converter.AvroConverter".into()),
        ("converter.apicurio.registry.url", addresses.registry_v2_url()),
        ("converter.apicurio.registry.auto-register", "true".into()),
        ("converter.apicurio.registry.as-confluent", "true".into()),
        ("converter.apicurio.registry.use-id", "contentId".into()),
        ("converter.apicurio.registry.headers.enabled", "false".into()),
    ]
}

fn plain(addresses: &Addresses) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", addresses.bootstrap_servers());
    config
}

/// The values of a topic's first messages, all partitions together.
async fn consume(config: &ClientConfig, topic: &str, count: usize) -> Vec<Vec<u8>> {
    let mut config = config.clone();
    config.set("group.id", "test").set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    config.set("topic.metadata.refresh.interval.ms", "200");
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = rdkafka::TopicPartitionList::new();
        assignment.add_partition_offset(&topic, 0, rdkafka::Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        let mut values = Vec::new();
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while values.len() < count {
            assert!(std::time::Instant::now() < deadline, "{topic} has only {} messages", values.len());
            // An unknown topic is an error until the connector has created it.
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                values.push(message.payload().unwrap_or_default().to_vec());
            }
        }
        values
    })
    .await
    .unwrap()
}

async fn a_wrong_connector_is_refused_with_the_reason(stack: &Stack) {
    let mut config = connector(stack.addresses(), "wrong", json());
    config.insert("database.password".into(), "not the password".into());
    let error = stack.register_connector("wrong", &config).await.unwrap_err();
    assert!(format!("{error:#}").contains("password authentication failed"), "{error:#}");
}

async fn kafka_answers_at_its_secure_doors(stack: &Stack) {
    stack.create_topic("secured", 3).await.unwrap();
    let partitions = |config: ClientConfig| async move {
        // A refused client tries again until its patience ends.
        let asked = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = config.create().unwrap();
            let metadata = consumer.fetch_metadata(Some("secured"), Duration::from_secs(3));
            metadata.map(|metadata| metadata.topics()[0].partitions().len())
        });
        asked.await.unwrap()
    };
    assert_eq!(partitions(scram(stack, SCRAM_PASSWORD)).await.unwrap(), 3);
    assert_eq!(partitions(mutual_tls(stack)).await.unwrap(), 3);
    partitions(scram(stack, "wrong")).await.unwrap_err();
    let mut without_certificate = mutual_tls(stack);
    without_certificate.remove("ssl.certificate.location");
    without_certificate.remove("ssl.key.location");
    partitions(without_certificate).await.unwrap_err();
    stack.delete_topic("secured").await.unwrap();
}

fn scram(stack: &Stack, password: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.addresses().scram_bootstrap_servers());
    config.set("security.protocol", "SASL_SSL").set("ssl.ca.location", stack.tls().ca_pem.to_str().unwrap());
    config.set("sasl.mechanism", "SCRAM-SHA-512").set("sasl.username", SCRAM_USER).set("sasl.password", password);
    config
}

fn mutual_tls(stack: &Stack) -> ClientConfig {
    let tls = stack.tls();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.addresses().mtls_bootstrap_servers());
    config.set("security.protocol", "SSL").set("ssl.ca.location", tls.ca_pem.to_str().unwrap());
    config.set("ssl.certificate.location", tls.client_cert_pem.to_str().unwrap());
    config.set("ssl.key.location", tls.client_key_pem.to_str().unwrap());
    config
}

async fn the_registry_keeps_its_schemas_over_a_restart(stack: &Stack) {
    let subject = format!("{}/subjects/avro.public.users-value/versions/latest", stack.addresses().registry_url());
    let schema = || async {
        let answer = reqwest::get(&subject).await.unwrap().error_for_status().unwrap();
        answer.json::<serde_json::Value>().await.unwrap()
    };
    let before = schema().await;
    assert!(before["id"].is_u64(), "{before}");
    stack.kill(Part::Registry).await.unwrap();
    reqwest::get(&subject).await.unwrap_err();
    stack.restart(Part::Registry).await.unwrap();
    assert_eq!(schema().await, before);
}

async fn a_gate_closes_s3_in_three_ways(stack: &Stack) {
    stack.create_bucket("lake").await.unwrap();
    let gate = Gate::before(Part::S3, stack.addresses()).await.unwrap();
    let object = format!("{}/lake/object", gate.url());
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    let put = http
        .put(&object)
        .header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request");
    put.body("kept").send().await.unwrap().error_for_status().unwrap();
    let get = || async {
        let request = http.get(&object);
        request
            .header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request")
            .send()
            .await
    };

    gate.set(GateMode::Refused);
    super::until("the gate refuses", async || get().await.is_err_and(|error| error.is_connect())).await;
    gate.set(GateMode::Unavailable);
    super::until("the gate answers 503", async || {
        get().await.is_ok_and(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE)
    })
    .await;
    gate.set(GateMode::Silent);
    super::until("the gate is silent", async || get().await.is_err_and(|error| error.is_timeout())).await;
    gate.set(GateMode::Open);
    super::until("the gate is open again", async || get().await.is_ok_and(|answer| answer.status() == StatusCode::OK))
        .await;
    assert_eq!(get().await.unwrap().text().await.unwrap(), "kept");
}

async fn kafka_comes_back_with_its_messages(stack: &Stack) {
    let killed = stack.processes()[&Part::Kafka];
    stack.kill(Part::Kafka).await.unwrap();
    assert!(!killed.is_alive());
    let port = (stack.addresses().bind, stack.addresses().kafka);
    tokio::net::TcpStream::connect(port).await.unwrap_err();
    execute(stack.addresses(), "INSERT INTO users VALUES (2, 'Grace')").await;

    stack.restart(Part::Kafka).await.unwrap();
    let messages = consume(&plain(stack.addresses()), "plain.public.users", 2).await;
    assert!(String::from_utf8_lossy(&messages[1]).contains("Grace"));
    assert!(stack.logs(Part::Kafka).unwrap().contains("Kafka Server started"));
}
