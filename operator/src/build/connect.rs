//! The Kafka Connect cluster that runs the connector.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_crds::{AvroConverter, ExternalKafka, Format, KafkaTls, Sasl, SaslMechanism, topic};

use super::{
    Component,
    connector::{PROVIDER, placeholder},
};
use crate::plan::{ConnectImage, OwnConnect, Plan, kafka_user};
use crate::strimzi::{
    Config, Resource,
    connect::{
        Artifact, Build, CertificateAndKey, KafkaConnectSpec, Login, Output, PasswordSecret, Plugin, PodMetadata,
        PodTemplate, Template, Tls, TrustedCertificate,
    },
};

/// The version that the connector's configuration is written for.
const DEBEZIUM: &str = "3.7.0.Final";
/// The newest converter that writes Confluent's wire format for registries of version 2.
const APICURIO: &str = "2.6.13.Final";

/// The cluster, unless one is used that exists. It has the resource's name.
pub(super) fn cluster(plan: &Plan) -> Option<Resource<KafkaConnectSpec>> {
    let own = plan.connect.own.as_ref()?;
    let kafka = plan.resource.spec.kafka.external.as_ref()?;
    let mut metadata = Component::Connect.owned(plan, plan.connect.name.clone());
    // Makes Strimzi look at KafkaConnector at all.
    let annotation = ("strimzi.io/use-connector-resources".to_owned(), "true".to_owned());
    metadata.annotations = Some(BTreeMap::from([annotation]));
    let (image, build) = image(plan, &own.image);
    // Two clusters that share one of these names become one broken cluster.
    let [configs, offsets, status] = topic::connect(&plan.resource);
    let login = login(plan, kafka);
    let spec = KafkaConnectSpec {
        version: own.version.clone(),
        image,
        build,
        replicas: own.replicas,
        bootstrap_servers: kafka.bootstrap_servers.clone(),
        group_id: format!("{}.connect", topic::prefix(&plan.resource)),
        config_storage_topic: configs,
        offset_storage_topic: offsets,
        status_storage_topic: status,
        tls: kafka.tls.as_ref().map(|tls| encryption(plan, tls)),
        template: template(own, login.as_ref()),
        authentication: login,
        config: config(),
        resources: own.resources.clone(),
    };
    Some(Resource::new(metadata, spec))
}

fn config() -> Config {
    let settings: [(&str, Value); 14] = [
        // Gives connectors the values of Secrets: their configurations hold placeholders only.
        ("config.providers", json!(PROVIDER)),
        (PROVIDER_CLASS, json!("io.strimzi.kafka.KubernetesSecretConfigProvider")),
        // The brokers' own default, which suits a cluster of one broker too.
        ("config.storage.replication.factor", json!(-1)),
        ("offset.storage.replication.factor", json!(-1)),
        ("status.storage.replication.factor", json!(-1)),
        // As our KafkaTopics have it, whoever creates the topics first: a topic never gets fewer.
        ("offset.storage.partitions", json!(1)),
        ("status.storage.partitions", json!(1)),
        // What was sent after the last flush comes again when a worker is killed; and a first copy is complete when the slot says,
        // after a flush, that everything is delivered that the copy contains.
        ("offset.flush.interval.ms", json!(2_000)),
        // The connector says how it writes; these are for whatever forgets to. Without schemas a number loses its scale.
        ("key.converter", json!("org.apache.kafka.connect.json.JsonConverter")),
        ("value.converter", json!("org.apache.kafka.connect.json.JsonConverter")),
        ("key.converter.schemas.enable", json!(true)),
        ("value.converter.schemas.enable", json!(true)),
        // The connector compresses and fills its batches.
        ("connector.client.config.override.policy", json!("All")),
        // The connector's configuration says how its topics are made.
        ("topic.creation.enable", json!(true)),
    ];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

const PROVIDER_CLASS: &str = "config.providers.secrets.class";

fn image(plan: &Plan, image: &ConnectImage) -> (Option<String>, Option<Build>) {
    match image {
        ConnectImage::Ready(image) => (Some(image.clone()), None),
        ConnectImage::Build { image, push_secret } => {
            let output = Output { type_: "docker", image: image.clone(), push_secret: push_secret.clone() };
            (None, Some(Build { output, plugins: plugins(&plan.resource.spec.format) }))
        }
    }
}

/// Strimzi resolves an artifact of Maven Central with all that it depends on.
fn plugins(format: &Format) -> Vec<Plugin> {
    let plugin = |name, group, artifact, version| Plugin {
        name,
        artifacts: [Artifact { type_: "maven", group, artifact, version }],
    };
    let mut plugins = vec![plugin("debezium-postgres", "io.debezium", "debezium-connector-postgres", DEBEZIUM)];
    if format.avro.as_ref().is_some_and(|avro| avro.converter == AvroConverter::Apicurio) {
        plugins.push(plugin("apicurio-converter", "io.apicurio", "apicurio-registry-utils-converter", APICURIO));
    }
    plugins
}

fn encryption(plan: &Plan, tls: &KafkaTls) -> Tls {
    let certificates = tls.ca_secret.iter().map(|authority| TrustedCertificate {
        secret_name: authority.secret_name.clone(),
        // Strimzi has two while it replaces its authority.
        pattern: if plan.kafka.is_some() { "*.crt".to_owned() } else { authority.key.clone() },
    });
    Tls { trusted_certificates: certificates.collect() }
}

fn login(plan: &Plan, kafka: &ExternalKafka) -> Option<Login> {
    let certificate = kafka.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref());
    match (&kafka.sasl, certificate) {
        // The name of the user of our own cluster is known.
        (Some(_), _) if plan.kafka.is_some() => {
            let user = kafka_user(&plan.name);
            let password_secret = PasswordSecret { secret_name: user.clone(), password: "password" };
            Some(Login::ScramSha512 { username: user, password_secret })
        }
        (Some(sasl), certificate) => {
            Some(custom(plan, sasl, certificate.map(|certificate| certificate.secret_name.as_str())))
        }
        (None, Some(certificate)) => {
            let secret_name = certificate.secret_name.clone();
            let (certificate, key) =
                if plan.kafka.is_some() { ("user.crt", "user.key") } else { ("tls.crt", "tls.key") };
            Some(Login::Certificate { certificate_and_key: CertificateAndKey { secret_name, certificate, key } })
        }
        (None, None) => None,
    }
}

/// Strimzi's own words want the user's name in the resource, and know either a password or a certificate. The name is
/// in the Secret, which the workers read as connectors do.
fn custom(plan: &Plan, sasl: &Sasl, certificate: Option<&str>) -> Login {
    let value = |secret: &str, key: &str| placeholder(&plan.resource, secret, key);
    let secret = &sasl.credentials.secret_name;
    let mut config = BTreeMap::from([
        ("sasl.mechanism".to_owned(), sasl.mechanism.as_str().to_owned()),
        ("sasl.jaas.config".to_owned(), jaas(sasl, &value(secret, "username"), &value(secret, "password"))),
    ]);
    if let Some(secret) = certificate {
        config.insert("ssl.keystore.type".to_owned(), "PEM".to_owned());
        config.insert("ssl.keystore.certificate.chain".to_owned(), value(secret, "tls.crt"));
        config.insert("ssl.keystore.key".to_owned(), value(secret, "tls.key"));
    }
    Login::Custom { sasl: true, config }
}

/// Strimzi restarts the workers when a Secret that it knows of changes; of those in custom settings it knows nothing.
fn template(own: &OwnConnect, login: Option<&Login>) -> Option<Template> {
    let version = own.secrets_version.clone().filter(|_| matches!(login, Some(Login::Custom { .. })))?;
    let annotations = BTreeMap::from([(super::SECRETS_VERSION, version)]);
    Some(Template { pod: PodTemplate { metadata: PodMetadata { annotations } } })
}

/// Kafka's login configuration. The values are quoted in it, so they hold neither `"` nor `\`.
fn jaas(sasl: &Sasl, username: &str, password: &str) -> String {
    let module = match sasl.mechanism {
        SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => "scram.ScramLoginModule",
        SaslMechanism::Plain => "plain.PlainLoginModule",
    };
    format!("org.apache.kafka.common.security.{module} required username=\"{username}\" password=\"{password}\";")
}
