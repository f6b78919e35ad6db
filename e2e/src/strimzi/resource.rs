//! A Strimzi resource as it is read here: JSON, of which each rule looks at what it needs.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::kind::Kind;

/// A resource of one of the kinds of [`Kind`].
pub(super) type Resource = DynamicObject;

/// The label that says to which Kafka or `KafkaConnect` a resource belongs.
pub(super) const CLUSTER: &str = "strimzi.io/cluster";
/// The annotation that makes the operators leave a resource alone.
const PAUSE: &str = "strimzi.io/pause-reconciliation";

static NOTHING: Value = Value::Null;

/// What the rules ask of a resource.
pub(super) trait View {
    /// The value at this JSON pointer, as in `/spec/kafka/version`; null when there is none.
    fn at(&self, pointer: &str) -> &Value;
    /// The string at this pointer.
    fn text(&self, pointer: &str) -> Option<&str>;
    /// The Kafka or `KafkaConnect` that the resource's label names.
    fn cluster(&self) -> Option<&str>;
    /// Whether an annotation is `"true"`.
    fn is_annotated(&self, annotation: &str) -> bool;
    /// Whether the operators shall leave the resource alone.
    fn is_paused(&self) -> bool;
    /// `metadata.generation`.
    fn generation(&self) -> i64;
    /// `status.observedGeneration`, 0 when there is no status.
    fn observed_generation(&self) -> i64;
    /// Namespace and name.
    fn key(&self) -> Key;
    /// The entry of `ownerReferences` for what is created for this resource.
    fn owner_reference(&self, kind: Kind) -> Value;
}

/// Namespace and name of a resource.
pub(super) type Key = (String, String);

impl View for Resource {
    fn at(&self, pointer: &str) -> &Value {
        self.data.pointer(pointer).unwrap_or(&NOTHING)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).as_str()
    }

    fn cluster(&self) -> Option<&str> {
        self.labels().get(CLUSTER).map(String::as_str)
    }

    fn is_annotated(&self, annotation: &str) -> bool {
        self.annotations().get(annotation).is_some_and(|value| value == "true")
    }

    fn is_paused(&self) -> bool {
        self.is_annotated(PAUSE)
    }

    fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or(0)
    }

    fn observed_generation(&self) -> i64 {
        self.at("/status/observedGeneration").as_i64().unwrap_or(0)
    }

    fn key(&self) -> Key {
        (self.namespace().unwrap_or_default(), self.name_any())
    }

    fn owner_reference(&self, kind: Kind) -> Value {
        json!({
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": kind.name(),
            "name": self.name_any(),
            "uid": self.uid(),
            "controller": false,
            "blockOwnerDeletion": false,
        })
    }
}
