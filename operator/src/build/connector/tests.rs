//! The configuration as a whole, in files, and the names in it.

use tributary_crds::{CdcReplication, TableSpec, document};

use super::{ConnectorError, ConnectorSecrets, KafkaSecrets, RegistryLogin, connector_config, names, reselecting};

fn resource(format: &str) -> CdcReplication {
    document::parse(&format!("{}\n  format: {format}\n", include_str!("tests/shop.yaml").trim_end())).unwrap()
}

fn secrets() -> ConnectorSecrets {
    let registry =
        Some(RegistryLogin { username: "reader".to_owned(), password: "${secrets:registry:password}".to_owned() });
    ConnectorSecrets {
        username: "${secrets:shop-db:username}".to_owned(),
        password: "${secrets:shop-db:password}".to_owned(),
        registry,
        kafka: KafkaSecrets::default(),
    }
}

/// The configuration as lines `key = value`.
fn lines(resource: &CdcReplication, replication_factor: Option<u16>) -> String {
    let config = connector_config(resource, &secrets(), replication_factor).unwrap();
    let lines: Vec<String> = config.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_configuration_for_json_is_the_recorded_one() {
    assert_eq!(lines(&resource("{json: {}}"), None), include_str!("tests/json.txt"));
}

#[test]
fn the_configuration_for_apicurio_avro_is_the_recorded_one() {
    let format = "{avro: {registryUrl: 'http://registry:8080/apis/ccompat/v7'}}";
    assert_eq!(lines(&resource(format), Some(3)), include_str!("tests/apicurio.txt"));
}

#[test]
fn the_configuration_for_confluent_avro_is_the_recorded_one() {
    let format = "{avro: {registryUrl: 'http://registry:8081/', converter: Confluent}}";
    assert_eq!(lines(&resource(format), None), include_str!("tests/confluent.txt"));
}

#[test]
fn a_resource_without_a_database_is_refused() {
    let mut resource = resource("{json: {}}");
    resource.spec.source.postgres = None;
    assert_eq!(connector_config(&resource, &secrets(), None), Err(ConnectorError::NoSource));
}

#[test]
fn a_table_name_is_not_read_as_a_regular_expression() {
    let tables = ["public.users", "public.Weird Table", "public.a,b", "public.a$b|c(d)"].map(TableSpec::new);
    let expected = r"public\.users,public\.Weird Table,public\.a\,b,public\.a\$b\|c\(d\)";
    assert_eq!(names::include_list(&tables), expected);
}

#[test]
fn the_reader_of_signals_gets_into_kafka_as_the_resource_says() {
    let mut resource = resource("{json: {}}");
    let secrets = |kafka| ConnectorSecrets { kafka, ..secrets() };
    let signals = |resource: &CdcReplication, secrets: &ConnectorSecrets| {
        let config = connector_config(resource, secrets, None).unwrap();
        let of_consumer = config.into_iter().filter(|(key, _)| key.starts_with("signal.consumer."));
        of_consumer.map(|(key, value)| format!("{key} = {value}\n")).collect::<Vec<_>>().concat()
    };
    assert_eq!(signals(&resource, &secrets(KafkaSecrets::default())), "");

    let kafka = r#"{"bootstrapServers": "kafka:9093",
        "tls": {"caSecret": {"secretName": "ca"}, "clientCertificate": {"secretName": "me"}},
        "sasl": {"mechanism": "ScramSha512", "credentials": {"secretName": "user"}}}"#;
    resource.spec.kafka.external = Some(serde_json::from_str(kafka).unwrap());
    let placeholder = |key: &str| format!("${{secrets:sales/x:{key}}}");
    let kafka = KafkaSecrets {
        ca: Some(placeholder("ca.crt")),
        certificate: Some((placeholder("tls.crt"), placeholder("tls.key"))),
        login: Some((placeholder("username"), placeholder("password"))),
    };
    assert_eq!(signals(&resource, &secrets(kafka)), include_str!("tests/signals.txt"));
}

#[test]
fn brokers_that_were_not_resolved_are_refused() {
    let mut resource = resource("{json: {}}");
    resource.spec.kafka.external = None;
    assert_eq!(connector_config(&resource, &secrets(), None), Err(ConnectorError::NoBrokers));
}

#[test]
fn only_arriving_tables_are_asked_for_what_a_change_leaves_out() {
    assert!(reselecting(&[]).is_empty());
    let settings = reselecting(&["public.orders", "public.a,b"]);
    assert_eq!(settings["reselector.reselect.columns.include.list"], r"public\.orders:.*,public\.a\,b:.*");
    assert_eq!(settings["post.processors"], "reselector");
}
