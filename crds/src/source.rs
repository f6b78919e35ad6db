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
    /// A PostgreSQL database, read through logical replication (pgoutput). The server needs `wal_level=logical`. The user
    /// needs the REPLICATION attribute and SELECT on the tables; and, unless `publication.managed` is false, CREATE on the
    /// database and ownership of the tables, to publish them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
// Another slot begins at the present, and what lies between would be missing.
#[x_kube(validation = Rule::new("(has(self.slot) ? self.slot : '') == (has(oldSelf.slot) ? oldSelf.slot : '')").message("source.postgres.slot cannot be changed, because another slot would begin later than this one ended: set it back, or create a new resource"))]
// The server looks for the publication as it was when a change was made, and ends the reading where it did not exist.
#[x_kube(validation = Rule::new("(has(self.publication) && has(self.publication.name) ? self.publication.name : '') == (has(oldSelf.publication) && has(oldSelf.publication.name) ? oldSelf.publication.name : '')").message("source.postgres.publication.name cannot be changed, because the changes that are still to be read were made under the old publication: set it back, or create a new resource"))]
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
    /// The publication through which the tables are read.
    #[serde(default)]
    pub publication: PublicationSettings,
    /// Name of the replication slot. Default: one that is made from namespace and name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9_]{1,63}$')").message("a replication slot is named with lower-case letters, digits and '_'"))]
    pub slot: Option<String>,
}

/// The publication: which tables the database sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicationSettings {
    /// Its name. Default: one that is made from namespace and name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    // The server reads the name in a list: there, capitals become small letters, and other characters need quotes.
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9_-]{1,63}$')").message("a publication is named with lower-case letters, digits, '_' and '-'"))]
    pub name: Option<String>,
    /// Whether the operator makes the publication, keeps its tables equal to `spec.tables`, and drops it with
    /// `deletionPolicy: Delete`. If not, somebody else does, and the user needs neither CREATE on the database nor to own the
    /// tables; `SourceReady` then names the tables that are missing in it, and the SQL that adds them.
    #[serde(default = "managed")]
    pub managed: bool,
}

impl Default for PublicationSettings {
    fn default() -> Self {
        Self { name: None, managed: managed() }
    }
}

const fn managed() -> bool {
    true
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
