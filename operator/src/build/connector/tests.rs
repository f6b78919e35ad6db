//! The configuration as a whole, in files.

use tributary_crds::{CdcReplication, document};

use super::{ConnectorError, ConnectorSecrets, RegistryLogin, connector_config};

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
fn names_that_the_resource_gives_are_those_of_slot_and_publication() {
    let mut resource = resource("{json: {}}");
    let postgres = resource.spec.source.postgres.as_mut().unwrap();
    (postgres.slot, postgres.publication.name) = (Some("mine".to_owned()), Some("sales".to_owned()));
    let config = connector_config(&resource, &secrets(), None).unwrap();
    assert_eq!((config["slot.name"].as_str(), config["publication.name"].as_str()), ("mine", "sales"));
}
