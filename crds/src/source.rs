//! Where the rows come from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretRef;

/// The source database: exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.postgres)").message("source needs exactly one database: set source.postgres"))]
pub struct Source {
    /// A PostgreSQL database, read through logical replication (pgoutput). The server needs `wal_level=logical`, and
    /// the user needs the REPLICATION attribute and the right to read the tables and to create a publication of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// Host name or address of the server.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Port of the server.
    #[serde(default = "postgres_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Name of the database.
    #[schemars(length(min = 1, max = 63))]
    // The replication slot, and the position in it, belong to one database.
    #[x_kube(validation = Rule::new("self == oldSelf").message("source.postgres.database cannot be changed, because the replication slot belongs to the old database: set it back, or create a new resource"))]
    pub database: String,
    /// Secret with the keys `username` and `password`.
    pub credentials: SecretRef,
    /// Whether the connection to the server is encrypted.
    #[serde(default)]
    pub ssl_mode: SslMode,
}

const fn postgres_port() -> u16 {
    5432
}

/// Encryption of the connection to Postgres; the server's certificate is not verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server offers it.
    #[default]
    Prefer,
    /// Encrypted, or no connection.
    Require,
}
