//! `KafkaTopic`.

use serde::Serialize;

use super::{Config, Spec};

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTopicSpec {
    /// The topic's name, which can hold more than the object's.
    pub topic_name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// How often each is kept.
    pub replicas: i32,
    /// Its settings. Strimzi takes away those that are not here.
    pub config: Config,
}

impl Spec for KafkaTopicSpec {
    const KIND: &'static str = "KafkaTopic";
}
