//! The Kafka cluster between the connector and the replicator.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CaSecret, Quantity, SecretRef};

/// The Kafka cluster: exactly one of `strimzi` and `external`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.strimzi) != has(self.external)").message("kafka needs exactly one of kafka.strimzi and kafka.external"))]
pub struct Kafka {
    /// A cluster of its own that Strimzi runs. Needs Kubernetes with the Strimzi operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strimzi: Option<StrimziKafka>,
    /// A cluster that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalKafka>,
}

/// A Kafka cluster that the operator creates through Strimzi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrimziKafka {
    /// Number of brokers.
    #[serde(default = "broker_replicas")]
    #[schemars(range(min = 1, max = 9))]
    pub replicas: i32,
    /// Size of each broker's volume.
    #[serde(default = "broker_storage")]
    pub storage: Quantity,
}

const fn broker_replicas() -> i32 {
    3
}

fn broker_storage() -> Quantity {
    Quantity::gibibytes(100)
}

/// A Kafka cluster that exists already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalKafka {
    /// Addresses of some brokers: `host:port`, separated by commas.
    #[schemars(length(min = 3, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^[^ ,/:]+:[0-9]{1,5}(,[^ ,/:]+:[0-9]{1,5})*$')").message("bootstrapServers is a list of host:port, separated by commas, without spaces"))]
    pub bootstrap_servers: String,
    /// Encrypts the connections. `tls: {}` trusts the usual public certificate authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<KafkaTls>,
    /// Logs in with a user name and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
}

/// TLS to the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTls {
    /// The certificate authority that signed the brokers' certificates (for Strimzi: `<cluster>-cluster-ca-cert`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<CaSecret>,
    /// A certificate of our own, for brokers that ask for one (mTLS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificate {
    /// Secret with the keys `tls.crt` and `tls.key` (PEM, the key not encrypted), as of type `kubernetes.io/tls`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// SASL login to the brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sasl {
    /// How the password is proven. `Plain` sends it as it is: use it with TLS.
    pub mechanism: SaslMechanism,
    /// Secret with the keys `username` and `password`.
    pub credentials: SecretRef,
}

/// SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512, the one that Strimzi's users have.
    ScramSha512,
    /// PLAIN.
    Plain,
}

impl SaslMechanism {
    /// The mechanism's registered name, as Kafka's clients write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Plain => "PLAIN",
        }
    }
}
