//! The resource of a test: the shop of a lab, with what the test changes.

use serde_json::{Value, json};

use super::Services;
use crate::stack::S3_REGION;

/// How the connector writes changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// JSON with schemas.
    Json,
    /// Avro, with schemas in the registry.
    Avro,
}

/// A `CdcReplication` to apply.
#[derive(Clone, Debug)]
pub struct Document(Value);

/// Secret with the database's user and password.
pub(super) const DATABASE_SECRET: &str = "shop-db";
/// Secret with the keys of S3.
pub(super) const LAKE_SECRET: &str = "lake";
/// The bucket of all tests; each has a folder in it.
pub(super) const BUCKET: &str = "lake";

impl Document {
    /// A resource with a Kafka of its own, that replicates these tables (`schema.table`) of the namespace's database.
    pub fn new(services: &Services, namespace: &str, name: &str, tables: &[&str]) -> Self {
        let tables: Vec<Value> = tables.iter().map(|table| json!({ "name": table })).collect();
        Self(json!({
            "apiVersion": "tributary.dev/v1alpha1",
            "kind": "CdcReplication",
            "metadata": { "name": name, "namespace": namespace },
            "spec": {
                "source": { "postgres": {
                    "host": services.postgres_host, "port": services.postgres_port.parse::<u16>().unwrap_or(5432),
                    "database": namespace, "credentials": { "secretName": DATABASE_SECRET }, "sslMode": "Disable",
                } },
                "tables": tables,
                "kafka": { "strimzi": { "replicas": 1, "storage": "1Gi" } },
                "destination": {
                    "uri": format!("s3://{BUCKET}/{namespace}/{name}"),
                    "s3": {
                        "endpoint": services.s3_endpoint, "allowHttp": true, "region": S3_REGION,
                        "credentials": { "secretName": LAKE_SECRET },
                    },
                },
                "replicator": { "commitInterval": "500ms", "memory": "64Mi" },
            },
        }))
    }

    /// The same with changes written this way.
    #[must_use]
    pub fn transport(self, transport: Transport, services: &Services) -> Self {
        match transport {
            Transport::Json => self.with("/spec/format", json!({ "json": {} })),
            Transport::Avro => self.with("/spec/format", json!({ "avro": { "registryUrl": services.registry_url } })),
        }
    }

    /// The same with the value at a JSON pointer, whose parent exists, replaced.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(parent) = self.0.pointer_mut(parent) {
            parent[field] = value;
        }
        self
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// As it is sent to the API server.
    pub fn json(&self) -> &Value {
        &self.0
    }
}
