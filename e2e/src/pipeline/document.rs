//! The resource of a pipeline.

use serde_json::{Value, json};

use super::BUCKET;
use crate::stack::{Addresses, S3_REGION};

/// How the connector writes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFormat {
    /// JSON with schemas.
    Json,
    /// Avro, with schemas in the stack's registry.
    Avro,
}

/// What is replicated, and how.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// The tables, as `schema.table`.
    pub tables: Vec<String>,
    /// How the connector writes events.
    pub format: EventFormat,
    /// Longest time between a change's arrival and its commit: `200ms`, `1s`.
    pub commit_interval: &'static str,
}

impl PipelineOptions {
    /// These tables, as JSON, with a commit every half a second.
    pub fn json(tables: &[&str]) -> Self {
        let tables = tables.iter().map(ToString::to_string).collect();
        Self { tables, format: EventFormat::Json, commit_interval: "500ms" }
    }

    /// The same tables in this format.
    #[must_use]
    pub fn format(self, format: EventFormat) -> Self {
        Self { format, ..self }
    }

    /// The same tables with this interval.
    #[must_use]
    pub fn commit_interval(self, commit_interval: &'static str) -> Self {
        Self { commit_interval, ..self }
    }
}

pub(super) fn document(name: &str, addresses: &Addresses, options: &PipelineOptions, http_port: u16) -> Value {
    let tables: Vec<Value> = options.tables.iter().map(|table| json!({ "name": table })).collect();
    let format = match options.format {
        EventFormat::Json => json!({ "json": {} }),
        EventFormat::Avro => json!({ "avro": { "registryUrl": addresses.registry_url() } }),
    };
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": { "name": name, "namespace": "e2e" },
        "spec": {
            "source": { "postgres": {
                "host": addresses.bind.to_string(), "port": addresses.postgres, "database": name,
                "credentials": { "secretName": "database" }, "sslMode": "Disable",
            } },
            "tables": tables,
            "kafka": { "external": { "bootstrapServers": addresses.bootstrap_servers() } },
            "format": format,
            "destination": {
                "uri": format!("s3://{BUCKET}/{name}"),
                "s3": {
                    "endpoint": addresses.s3_endpoint(), "allowHttp": true, "region": S3_REGION,
                    "credentials": { "secretName": "lake" },
                },
            },
            "replicator": {
                "commitInterval": options.commit_interval, "memory": "64Mi", "httpPort": http_port,
            },
        },
    })
}
