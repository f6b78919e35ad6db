//! Strimzi's kinds: the parts of their specs that we write, and what their statuses say.
//!
//! Written for `kafka.strimzi.io/v1`, the only version that Strimzi has served since 1.0.

pub mod connect;
pub mod connector;
pub mod kafka;
pub mod offsets;
pub mod topic;
pub mod user;
pub mod verdict;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

/// `apiVersion` of all kinds.
const API_VERSION: &str = "kafka.strimzi.io/v1";

/// Label that says which cluster an object belongs to. Without it Strimzi ignores the object, in silence.
pub const CLUSTER: &str = "strimzi.io/cluster";

/// Settings as Strimzi wants them: every value a scalar, or the whole resource is refused.
pub type Config = BTreeMap<String, Value>;

/// An object of one of Strimzi's kinds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<Spec> {
    api_version: &'static str,
    kind: &'static str,
    /// Name, labels and so on.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: Spec,
}

/// The spec of one of Strimzi's kinds.
pub trait Spec {
    /// The kind's name.
    const KIND: &'static str;
}

impl<S: Spec> Resource<S> {
    /// An object of the spec's kind.
    pub const fn new(metadata: ObjectMeta, spec: S) -> Self {
        Self { api_version: API_VERSION, kind: S::KIND, metadata, spec }
    }
}
