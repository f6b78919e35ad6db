//! `KafkaUser`.

use serde::Serialize;

use super::{Spec, kafka::Authentication};

/// A user of a Kafka cluster. Strimzi puts its password or certificate into a Secret of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KafkaUserSpec {
    /// How it logs in.
    pub authentication: Authentication,
}

impl Spec for KafkaUserSpec {
    const KIND: &'static str = "KafkaUser";
}
