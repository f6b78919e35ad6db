//! Why the settings of a run cannot be had.

use std::{io, path::PathBuf};

use tributary_crds::document::DocumentError;

/// Why the settings of a run cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold a resource that can be used.
    #[error("{path} is not a usable CdcReplication")]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        #[source]
        source: DocumentError,
    },
    /// The resource has no such table.
    #[error("the resource has no table {name}; it has {known}")]
    UnknownTable {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The brokers of `kafka.strimzi` are known to the operator only.
    #[error(
        "spec.kafka.strimzi is a cluster that only the operator can make: outside of Kubernetes the document needs \
         spec.kafka.external.bootstrapServers, with the address of a listener of that cluster or of another Kafka"
    )]
    NoBrokers,
    /// Secrets are needed and no directory is given.
    #[error(
        "{field} refers to the Secret {secret}: start with --secrets DIR, where the file DIR/{secret}/{key} holds it"
    )]
    NoSecrets {
        /// The field that refers to the secret.
        field: String,
        /// The secret's name.
        secret: String,
        /// The key in it.
        key: String,
    },
    /// A secret is not where it should be.
    #[error("{field} refers to the Secret {secret}, but there is no file {path}: create it, with the value of {key}")]
    NoSecret {
        /// The field that refers to the secret.
        field: String,
        /// The secret's name.
        secret: String,
        /// The key in it.
        key: String,
        /// The file that is missing.
        path: PathBuf,
    },
    /// A secret's file cannot be used.
    #[error("{field} refers to the Secret {secret}, whose file {path} cannot be read")]
    UnreadableSecret {
        /// The field that refers to the secret.
        field: String,
        /// The secret's name.
        secret: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A secret's value is not what it must be.
    #[error("{field} refers to the Secret {secret}, whose file {path} {wrong}")]
    BadSecret {
        /// The field that refers to the secret.
        field: String,
        /// The secret's name.
        secret: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with its content, without showing it.
        wrong: &'static str,
    },
    /// A field is not an address.
    #[error("{field} is not an address")]
    Url {
        /// The field.
        field: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
}

impl SettingsError {
    /// Whether the same document may become usable by itself: secrets appear and change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoSecret { .. } | Self::UnreadableSecret { .. } | Self::BadSecret { .. })
    }
}
