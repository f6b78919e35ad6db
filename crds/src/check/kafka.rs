//! Rules of the way between source and replicator: Kafka, Kafka Connect and the format.

use super::{Violation, exactly_one, names};
use crate::{AvroConverter, AvroFormat, Connect, ExternalKafka, Format, Kafka};

pub(super) fn kafka(kafka: &Kafka, found: &mut Vec<Violation>) {
    let given = [("strimzi", kafka.strimzi.is_some()), ("external", kafka.external.is_some())];
    exactly_one("spec.kafka", &given, found);
    if let Some(strimzi) = &kafka.strimzi {
        names::range("spec.kafka.strimzi.replicas", i64::from(strimzi.replicas), 1..=9, found);
        if strimzi.storage.bytes() < 1 << 30 {
            let message = format!("{} is too little", strimzi.storage);
            found.push(Violation::new("spec.kafka.strimzi.storage", message, "use at least 1Gi; the default is 100Gi"));
        }
    }
    if let Some(kafka) = &kafka.external {
        external(kafka, found);
    }
}

fn external(kafka: &ExternalKafka, found: &mut Vec<Violation>) {
    let path = "spec.kafka.external";
    let servers = &kafka.bootstrap_servers;
    if servers.chars().count() > 2048 || !servers.split(',').all(is_address) {
        let message = format!("\"{servers}\" is not a list of host:port");
        let fix = "separate addresses by commas, without spaces, such as kafka-0:9092,kafka-1:9092";
        found.push(Violation::new(format!("{path}.bootstrapServers"), message, fix));
    }
    if let Some(tls) = &kafka.tls {
        if let Some(secret) = &tls.ca_secret {
            names::ca_secret(&format!("{path}.tls.caSecret"), secret, found);
        }
        if let Some(certificate) = &tls.client_certificate {
            let path = format!("{path}.tls.clientCertificate.secretName");
            names::length(&path, &certificate.secret_name, 1..=253, found);
        }
    }
    if let Some(sasl) = &kafka.sasl {
        names::secret(&format!("{path}.sasl.credentials"), &sasl.credentials, found);
    }
}

fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.split_once(':') else { return false };
    !host.is_empty()
        && !host.contains([' ', '/'])
        && port.len() <= 5
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit())
}

pub(super) fn connect(connect: &Connect, found: &mut Vec<Violation>) {
    let path = "spec.connect";
    let given = [
        ("image", connect.image.is_some()),
        ("build", connect.build.is_some()),
        ("clusterName", connect.cluster_name.is_some()),
    ];
    if given.iter().any(|(_, set)| *set) {
        exactly_one(path, &given, found);
    }
    names::range(&format!("{path}.replicas"), i64::from(connect.replicas), 1..=16, found);
    if let Some(image) = &connect.image {
        names::length(&format!("{path}.image"), image, 1..=1024, found);
    }
    if let Some(name) = &connect.cluster_name {
        names::length(&format!("{path}.clusterName"), name, 1..=253, found);
    }
    if let Some(build) = &connect.build {
        names::length(&format!("{path}.build.image"), &build.image, 1..=1024, found);
        if let Some(secret) = &build.push_secret {
            names::length(&format!("{path}.build.pushSecret"), secret, 1..=253, found);
        }
    }
}

pub(super) fn format(format: &Format, found: &mut Vec<Violation>) {
    exactly_one("spec.format", &[("json", format.json.is_some()), ("avro", format.avro.is_some())], found);
    if let Some(format) = &format.avro {
        avro(format, found);
    }
}

fn avro(format: &AvroFormat, found: &mut Vec<Violation>) {
    let path = "spec.format.avro";
    let url = &format.registry_url;
    if !names::is_http(url) || url.chars().count() > 1024 {
        let message = format!("\"{url}\" is not the address of a registry");
        let fix = "write http://host:port or https://host:port, for Apicurio followed by /apis/ccompat/v7";
        found.push(Violation::new(format!("{path}.registryUrl"), message, fix));
    } else if format.converter == AvroConverter::Apicurio && format.apicurio_base().is_none() {
        let message = format!("\"{url}\" is not the Confluent-compatible address of an Apicurio registry");
        let fix = "write http://host:port/apis/ccompat/v7, or set converter: Confluent for another registry";
        found.push(Violation::new(format!("{path}.registryUrl"), message, fix));
    }
    if let Some(secret) = &format.credentials {
        names::secret(&format!("{path}.credentials"), secret, found);
    }
    if let Some(tls) = &format.tls {
        names::ca_secret(&format!("{path}.tls.caSecret"), &tls.ca_secret, found);
    }
}
