//! The document that the replicator is started with, and the secrets beside it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::json;
use tributary_crds::{CdcReplication, TableSpec, topic};
use tributary_e2e::stack::{Addresses, S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY};
use url::Url;

use crate::events::Format;

/// The table that is replicated.
pub(crate) const TABLE: &str = "public.orders";
/// Where the S3 runs write.
pub(crate) const BUCKET: &str = "bench";

/// Where the tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Storage {
    /// A folder of this machine.
    Local,
    /// LocalStack's S3.
    S3,
}

impl Storage {
    /// The storage's name as written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::S3 => "s3",
        }
    }
}

/// A document in a folder, ready for `replicator run`.
pub(crate) struct Document {
    resource: CdcReplication,
}

/// What differs from run to run.
pub(crate) struct Choices<'a> {
    /// The stack.
    pub(crate) addresses: &'a Addresses,
    /// Of the messages.
    pub(crate) format: Format,
    /// `file://…` or `s3://…`
    pub(crate) destination: Url,
    /// `replicator.commitInterval`
    pub(crate) commit_interval: &'a str,
    /// `replicator.commitSize`, if not the default.
    pub(crate) commit_size: Option<u64>,
}

impl Document {
    /// Writes the document and its secrets into `folder`.
    pub(crate) fn write(folder: &Path, choices: &Choices<'_>) -> anyhow::Result<Self> {
        let text = serde_json::to_string_pretty(&resource(choices, free_port()?))?;
        fs::write(folder.join("resource.yaml"), &text)?;
        let secret = folder.join("secrets").join("lake");
        fs::create_dir_all(&secret)?;
        fs::write(secret.join("AWS_ACCESS_KEY_ID"), S3_ACCESS_KEY)?;
        fs::write(secret.join("AWS_SECRET_ACCESS_KEY"), S3_SECRET_KEY)?;
        Ok(Self { resource: serde_json::from_str(&text)? })
    }

    /// The address of the Delta table.
    pub(crate) fn table_url(&self) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("{}/{}", self.resource.spec.destination.uri, TableSpec::new(TABLE).target()))?)
    }
}

/// The topic that a run of this format reads.
pub(crate) fn topic_of(format: Format) -> anyhow::Result<String> {
    let resource = json!({ "metadata": metadata(format), "spec": {
        "source": {}, "tables": [], "kafka": {}, "destination": { "uri": "file:///" },
    }});
    Ok(topic::data(&serde_json::from_value(resource)?, &TableSpec::new(TABLE)))
}

fn metadata(format: Format) -> serde_json::Value {
    json!({ "name": format.name(), "namespace": "bench" })
}

fn resource(choices: &Choices<'_>, http_port: u16) -> serde_json::Value {
    let addresses = choices.addresses;
    let format = match choices.format {
        Format::Json => json!({ "json": {} }),
        Format::Avro => json!({ "avro": { "registryUrl": addresses.registry_url() } }),
    };
    let mut destination = json!({ "uri": choices.destination.as_str().trim_end_matches('/') });
    if choices.destination.scheme() == "s3" {
        destination["s3"] = json!({
            "endpoint": addresses.s3_endpoint(), "allowHttp": true, "region": S3_REGION,
            "credentials": { "secretName": "lake" },
        });
    }
    let mut replicator =
        json!({ "httpPort": http_port, "commitInterval": choices.commit_interval, "copy": { "connections": 0 } });
    if let Some(size) = choices.commit_size {
        replicator["commitSize"] = size.to_string().into();
    }
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": metadata(choices.format),
        "spec": {
            // Nobody reads from here: the events are in the topic already.
            "source": { "postgres": { "host": "unused", "database": "shop", "credentials": { "secretName": "unused" } } },
            "tables": [{ "name": TABLE }],
            "kafka": { "external": { "bootstrapServers": addresses.bootstrap_servers() } },
            "format": format,
            "destination": destination,
            "replicator": replicator,
        },
    })
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
