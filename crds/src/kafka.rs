//! The Kafka cluster between the connector and the replicator.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CaSecret, Quantity, SecretRef};

/// The Kafka cluster: exactly one of `strimzi` and `external`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.strimzi) != has(self.external)").message("kafka needs exactly one of kafka.strimzi and kafka.external"))]
// The Delta tables remember offsets of the topics that they were written from, and those mean nothing in another cluster.
#[x_kube(validation = Rule::new("has(self.strimzi) == has(oldSelf.strimzi)").message("kafka.strimzi and kafka.external cannot be exchanged: the Delta tables continue at offsets of the old cluster; create a new resource with another destination.uri"))]
pub struct Kafka {
    /// A cluster of its own that Strimzi runs. Needs Kubernetes with the Strimzi operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strimzi: Option<StrimziKafka>,
    /// A cluster that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalKafka>,
}

/// A Kafka cluster that the operator creates through Strimzi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrimziKafka {
    /// Number of brokers, which are the controllers too. Fixed when the cluster is created.
    // The voters of the controllers' quorum are static in Strimzi.
    #[serde(default = "broker_replicas")]
    #[schemars(range(min = 1, max = 9))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("kafka.strimzi.replicas is fixed when the cluster is created, because the brokers are its controllers too: set it back, or create a new resource"))]
    pub replicas: i32,
    /// Size of each broker's volume. It can grow, where the storage class allows it.
    #[serde(default = "broker_storage")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$') && quantity(self).compareTo(quantity('1Gi')) >= 0").message("a broker's volume has at least 1Gi, such as 100Gi"))]
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity(oldSelf)) >= 0").message("kafka.strimzi.storage can only grow, because volumes cannot shrink: set it back to at least its old value"))]
    pub storage: Quantity,
    /// How connector and replicator prove who they are. With anything but `None` the connections are encrypted too.
    #[serde(default)]
    pub authentication: StrimziAuthentication,
}

/// How the clients of a cluster of our own log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StrimziAuthentication {
    /// Not at all, and without encryption: for a cluster whose network nobody else is in.
    #[default]
    None,
    /// With a password that Strimzi makes, proven by SCRAM-SHA-512, over TLS.
    ScramSha512,
    /// With a certificate that Strimzi makes (mTLS).
    Tls,
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
