//! The kinds of resources that Strimzi's operators watch.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind of the API group `kafka.strimzi.io`, version `v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Kafka,
    KafkaNodePool,
    KafkaTopic,
    KafkaUser,
    KafkaConnect,
    KafkaConnector,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Kafka, Self::KafkaNodePool, Self::KafkaTopic, Self::KafkaUser, Self::KafkaConnect, Self::KafkaConnector];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::KafkaNodePool => "KafkaNodePool",
            Self::KafkaTopic => "KafkaTopic",
            Self::KafkaUser => "KafkaUser",
            Self::KafkaConnect => "KafkaConnect",
            Self::KafkaConnector => "KafkaConnector",
        }
    }

    pub(super) fn api_resource(self) -> ApiResource {
        let plural = format!("{}s", self.name().to_lowercase());
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("kafka.strimzi.io", "v1", self.name()), &plural)
    }
}
