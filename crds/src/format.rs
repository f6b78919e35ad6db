//! How the connector writes change events to Kafka.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CaSecret, SecretRef};

/// The format of change events: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.json) != has(self.avro)").message("format needs exactly one of format.json and format.avro"))]
// What lies in the topics is read with one decoder only.
#[x_kube(validation = Rule::new("has(self.json) == has(oldSelf.json)").message("format.json and format.avro cannot be exchanged, because the topics hold changes in the old format: set it back, or create a new resource with another destination.uri"))]
pub struct Format {
    /// JSON with schemas: needs no registry. This is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonFormat>,
    /// Avro, with schemas in a registry: about a third of the space in Kafka, and less work for the replicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avro: Option<AvroFormat>,
}

impl Default for Format {
    fn default() -> Self {
        Self { json: Some(JsonFormat {}), avro: None }
    }
}

/// JSON with schemas; there is nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonFormat {}

/// Avro in the Confluent wire format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.converter != 'Apicurio' || self.registryUrl.contains('/apis/ccompat/')").message("with converter Apicurio, registryUrl is the Confluent-compatible address of an Apicurio registry, such as http://registry:8080/apis/ccompat/v7; for another registry set converter: Confluent"))]
pub struct AvroFormat {
    /// Address of the registry's Confluent-compatible API: for Apicurio `http://host:8080/apis/ccompat/v7`, for
    /// Confluent's `http://host:8081`.
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^ /@]+[^ @]*$')").message("registryUrl starts with http:// or https:// and holds no credentials"))]
    pub registry_url: String,
    /// The Avro converter that the connector uses; its jars must be in the Connect image.
    #[serde(default)]
    pub converter: AvroConverter,
    /// Secret with the keys `username` and `password`, if the registry asks for them (HTTP basic authentication).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretRef>,
    /// TLS to a registry whose certificate is not from a public authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RegistryTls>,
}

/// TLS to the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryTls {
    /// The certificate authority that signed the registry's certificate.
    pub ca_secret: CaSecret,
}

/// Avro converter of Kafka Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AvroConverter {
    /// Apicurio's, open source. It writes the default in place of NULL in nullable columns with a default.
    #[default]
    Apicurio,
    /// Confluent's; it keeps NULL.
    Confluent,
}

impl AvroFormat {
    /// The registry's Confluent-compatible base address, without a trailing slash.
    pub fn confluent_base(&self) -> &str {
        self.registry_url.trim_end_matches('/')
    }

    /// The address of Apicurio's own API (version 2) in the same registry: what its converter talks to.
    pub fn apicurio_base(&self) -> Option<String> {
        let (root, _) = self.registry_url.split_once("/apis/ccompat/")?;
        Some(format!("{root}/apis/registry/v2"))
    }
}
