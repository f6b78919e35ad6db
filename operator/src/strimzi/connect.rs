//! `KafkaConnect`.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_crds::Resources;

use super::{Config, Spec};

/// A cluster of Kafka Connect workers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectSpec {
    /// Version of Kafka.
    pub version: String,
    /// Image of the workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How Strimzi builds the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Number of workers.
    pub replicas: i32,
    /// Addresses of brokers.
    pub bootstrap_servers: String,
    /// The group that makes the workers one cluster.
    pub group_id: String,
    /// Topic of the connectors' configurations.
    pub config_storage_topic: String,
    /// Topic of the positions up to which connectors have read.
    pub offset_storage_topic: String,
    /// Topic of the connectors' states.
    pub status_storage_topic: String,
    /// Encrypts the connections to the brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Logs in to the brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Login>,
    /// Settings of the workers.
    pub config: Config,
    /// CPU and memory of each worker.
    pub resources: Resources,
    /// What is added to the objects that Strimzi makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
}

impl Spec for KafkaConnectSpec {
    const KIND: &'static str = "KafkaConnect";
}

/// Encryption of the connections to the brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Authorities that are trusted; none means those that Java trusts.
    pub trusted_certificates: Vec<TrustedCertificate>,
}

/// Certificates of an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedCertificate {
    /// The Secret that holds them.
    pub secret_name: String,
    /// Its keys: a name, or a pattern such as `*.crt`.
    pub pattern: String,
}

/// How the workers log in to the brokers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Login {
    /// With a certificate.
    #[serde(rename = "tls")]
    Certificate {
        /// Certificate and key.
        certificate_and_key: CertificateAndKey,
    },
    /// With a password, by SCRAM-SHA-512, as a user whose name is known.
    #[serde(rename = "scram-sha-512")]
    ScramSha512 {
        /// The user.
        username: String,
        /// Where the password is.
        password_secret: PasswordSecret,
    },
    /// In the words of Kafka's own settings, for what Strimzi has no words for.
    #[serde(rename = "custom")]
    Custom {
        /// Whether SASL is used.
        sasl: bool,
        /// Settings that begin with `sasl.` or `ssl.keystore.`.
        config: BTreeMap<String, String>,
    },
}

/// Keys of a Secret with certificate and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAndKey {
    /// The Secret.
    pub secret_name: String,
    /// Key of the certificate.
    pub certificate: &'static str,
    /// Key of the private key.
    pub key: &'static str,
}

/// Key of a Secret with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordSecret {
    /// The Secret.
    pub secret_name: String,
    /// Key of the password.
    pub password: &'static str,
}

/// How Strimzi builds the image of the workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Where it is pushed to.
    pub output: Output,
    /// What is added to Strimzi's own image.
    pub plugins: Vec<Plugin>,
}

/// Where an image is pushed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `docker`: any registry.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Name and tag.
    pub image: String,
    /// Secret with the right to push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_secret: Option<String>,
}

/// A connector or converter in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// Its folder.
    pub name: &'static str,
    /// What it consists of.
    pub artifacts: [Artifact; 1],
}

/// A jar of Maven Central, with all that it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// `maven`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// Maven group.
    pub group: &'static str,
    /// Maven artifact.
    pub artifact: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// What is added to the objects that Strimzi makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template {
    /// Added to the pods.
    pub pod: PodTemplate,
}

/// What is added to pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodTemplate {
    /// Added to their metadata.
    pub metadata: PodMetadata,
}

/// What is added to the metadata of pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodMetadata {
    /// Annotations; a change rolls the pods.
    pub annotations: BTreeMap<&'static str, String>,
}
