//! References to Kubernetes Secrets. The resource names them; it never holds a secret itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Secret of the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of a Secret in the namespace of this resource. A local run reads the file `DIR/<secretName>/<key>`
    /// of the directory given with `--secrets DIR`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// A certificate authority in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaSecret {
    /// Name of a Secret in the namespace of this resource.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Key of the Secret that holds the certificates in PEM form.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The key that cert-manager and Strimzi use.
fn ca_key() -> String {
    "ca.crt".to_owned()
}
