//! The replicator's configuration: the resource itself, as a file.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use tributary_crds::{Connect, DeletionPolicy};

use crate::build::{Component, replicator::name};
use crate::plan::{Plan, digest, kafka_user};

/// Key of the resource.
pub(super) const DOCUMENT: &str = "replication.yaml";
/// Key of the name of Kafka's user, where Strimzi's Secret of it has only the password.
pub(super) const KAFKA_USERNAME: &str = "kafka-username";

pub(in crate::build) fn config_map(plan: &Plan) -> ConfigMap {
    let mut data = BTreeMap::from([(DOCUMENT.to_owned(), document(plan))]);
    if plan.kafka.as_ref().is_some_and(crate::plan::OwnKafka::has_user) {
        data.insert(KAFKA_USERNAME.to_owned(), kafka_user(&plan.name));
    }
    let metadata = Component::Replicator.owned(plan, name(plan));
    ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
}

/// The resource, without what the replicator does not read: a change of it need not restart the pods.
fn document(plan: &Plan) -> String {
    let mut resource = plan.resource.clone();
    resource.metadata.uid = None;
    resource.spec.connect = Connect::default();
    resource.spec.deletion_policy = DeletionPolicy::default();
    // Through a value, whose keys are sorted. Neither step can fail: all keys are text.
    let value = serde_json::to_value(&resource).unwrap_or_default();
    serde_saphyr::to_string(&value).unwrap_or_default()
}

/// Changes when the pods must be started again to see their configuration.
pub(super) fn hash(config_map: &ConfigMap) -> String {
    let data = config_map.data.iter().flatten();
    let parts: Vec<String> = data.map(|(key, value)| format!("{key}\0{value}\0")).collect();
    digest(&parts.concat())
}
