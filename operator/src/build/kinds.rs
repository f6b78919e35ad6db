//! The kinds of children, in the order in which they are applied.

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Its API group; empty for the core.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its name.
    pub kind: &'static str,
    /// Its name in paths.
    pub plural: &'static str,
    /// The API server need not know it.
    pub optional: bool,
    /// It is never deleted as an orphan, and has no owner: `deletionPolicy` decides.
    pub keep: bool,
}

const STRIMZI: &str = "kafka.strimzi.io";

impl Kind {
    const fn new(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { group, version, kind, plural, optional: false, keep: false }
    }

    const fn kept(mut self) -> Self {
        self.keep = true;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

pub(super) const SERVICE_ACCOUNT: Kind = Kind::new("", "v1", "ServiceAccount", "serviceaccounts");
pub(super) const ROLE: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "Role", "roles");
pub(super) const ROLE_BINDING: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
pub(super) const KAFKA_NODE_POOL: Kind = Kind::new(STRIMZI, "v1", "KafkaNodePool", "kafkanodepools").kept();
pub(super) const KAFKA: Kind = Kind::new(STRIMZI, "v1", "Kafka", "kafkas").kept();
pub(super) const KAFKA_USER: Kind = Kind::new(STRIMZI, "v1", "KafkaUser", "kafkausers").kept();
pub(super) const KAFKA_TOPIC: Kind = Kind::new(STRIMZI, "v1", "KafkaTopic", "kafkatopics").kept();
pub(super) const KAFKA_CONNECT: Kind = Kind::new(STRIMZI, "v1", "KafkaConnect", "kafkaconnects");
pub(super) const KAFKA_CONNECTOR: Kind = Kind::new(STRIMZI, "v1", "KafkaConnector", "kafkaconnectors");
pub(super) const CONFIG_MAP: Kind = Kind::new("", "v1", "ConfigMap", "configmaps");
pub(super) const SERVICE: Kind = Kind::new("", "v1", "Service", "services");
pub(super) const POD_DISRUPTION_BUDGET: Kind = Kind::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
pub(super) const STATEFUL_SET: Kind = Kind::new("apps", "v1", "StatefulSet", "statefulsets");
pub(super) const POD_MONITOR: Kind = Kind::new("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors").optional();

/// All kinds of children, in the order in which they are applied.
pub static KINDS: [Kind; 14] = [
    // Who may do what comes before whoever does it: a connector that cannot read its Secret fails.
    SERVICE_ACCOUNT,
    ROLE,
    ROLE_BINDING,
    // The pool before its cluster: a Kafka without nodes is refused.
    KAFKA_NODE_POOL,
    KAFKA,
    KAFKA_USER,
    // Topics before those who would create them with settings of their own.
    KAFKA_TOPIC,
    KAFKA_CONNECT,
    KAFKA_CONNECTOR,
    // What the pods mount, and are found by, before the pods: otherwise they would start twice.
    CONFIG_MAP,
    SERVICE,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    // Only watches.
    POD_MONITOR,
];
