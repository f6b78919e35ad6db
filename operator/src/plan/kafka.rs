//! The Kafka cluster that Strimzi makes for a resource.

use kube::ResourceExt;
use tributary_crds::{
    CaSecret, CdcReplication, ClientCertificate, DeletionPolicy, ExternalKafka, Kafka, KafkaTls, Quantity, Sasl,
    SaslMechanism, SecretRef, StrimziAuthentication, topic,
};

use super::digest;

/// More copies than this make nothing safer.
const MAX_REPLICATION: i32 = 3;

/// A Kafka cluster of a resource's own. Its name is the resource's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKafka {
    /// Name of its node pool: with a hash, because the pods are named after cluster and pool.
    pub pool: String,
    /// Number of brokers.
    pub brokers: i32,
    /// How often everything is kept.
    pub replication: i32,
    /// Size of each broker's volume.
    pub storage: Quantity,
    /// How clients log in.
    pub authentication: StrimziAuthentication,
    /// Version of Kafka.
    pub version: String,
    /// The volumes go with the cluster.
    pub deletes_volumes: bool,
}

impl OwnKafka {
    pub(super) fn of(resource: &CdcReplication, version: &str) -> Option<Self> {
        let strimzi = resource.spec.kafka.strimzi.as_ref()?;
        Some(Self {
            pool: format!("kafka-{}", &digest(&resource.name_any())[..8]),
            brokers: strimzi.replicas,
            replication: strimzi.replicas.min(MAX_REPLICATION),
            storage: strimzi.storage.clone(),
            authentication: strimzi.authentication,
            version: version.to_owned(),
            deletes_volumes: resource.spec.deletion_policy == DeletionPolicy::Delete,
        })
    }

    /// Whether clients log in, as a `KafkaUser`.
    pub const fn has_user(&self) -> bool {
        !matches!(self.authentication, StrimziAuthentication::None)
    }

    /// The cluster as any client sees it.
    pub(super) fn as_external(&self, resource: &CdcReplication) -> Kafka {
        let (name, namespace) = (resource.name_any(), topic::namespace(resource));
        let port = if self.has_user() { 9093 } else { 9092 };
        let user = || user_name(&name);
        let tls = self.has_user().then(|| KafkaTls {
            ca_secret: Some(CaSecret { secret_name: authority_name(&name), key: "ca.crt".to_owned() }),
            client_certificate: (self.authentication == StrimziAuthentication::Tls)
                .then(|| ClientCertificate { secret_name: user() }),
        });
        let sasl = (self.authentication == StrimziAuthentication::ScramSha512)
            .then(|| Sasl { mechanism: SaslMechanism::ScramSha512, credentials: SecretRef { secret_name: user() } });
        // The name of the Service that Strimzi makes, as its own status says it.
        let bootstrap_servers = format!("{name}-kafka-bootstrap.{namespace}.svc:{port}");
        Kafka { strimzi: None, external: Some(ExternalKafka { bootstrap_servers, tls, sasl }) }
    }
}

/// Name of the `KafkaUser`, and so of the Secret that Strimzi makes for it.
pub(crate) fn user_name(name: &str) -> String {
    format!("{name}-kafka-user")
}

/// Secret with the certificate of the authority that signed the brokers'. Strimzi makes it.
pub(crate) fn authority_name(name: &str) -> String {
    format!("{name}-cluster-ca-cert")
}
