//! Where the Delta tables are written.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::SecretRef;

/// Where the Delta tables are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.s3) || self.uri.startsWith('s3://')").message("destination.s3 goes with a destination.uri that starts with s3://"))]
pub struct Destination {
    /// The folder that holds the tables: `s3://bucket/prefix`, or `file:///folder` for one machine.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^s3://[a-z0-9][a-z0-9.-]*[a-z0-9](/.*)?$') || self.matches('^file:///.+$')").message("this version writes to s3://bucket/prefix and file:///folder"))]
    // The topics may not hold the first copy of the tables any more, and nobody would make another.
    #[x_kube(validation = Rule::new("self == oldSelf").message("destination.uri cannot be changed, because the tables would begin empty there: set it back, or create a new resource"))]
    pub uri: String,
    /// How S3 is reached. Without it, region and credentials come from the environment, as in every AWS program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
}

/// How S3, or a service that speaks its protocol, is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.endpoint) || !self.endpoint.startsWith('http://') || self.allowHttp").message("the endpoint is not encrypted: use https://, or set allowHttp: true"))]
pub struct S3 {
    /// Address of the service, if it is not AWS: `http://minio:9000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^ /@]+/?$')").message("endpoint is http://host:port or https://host:port"))]
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub region: Option<String>,
    /// Allows an endpoint that is not encrypted.
    #[serde(default)]
    pub allow_http: bool,
    /// Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`, if there is one).
    /// Without it the usual AWS chain decides: environment, web identity, instance profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretRef>,
}

/// Kind of storage, by the scheme of `destination.uri`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `s3://`
    S3,
    /// `file://`
    File,
}

impl Destination {
    /// The kind of storage, or `None` for one that this version does not write to.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.uri.split_once("://")?.0 {
            "s3" => Some(Scheme::S3),
            "file" => Some(Scheme::File),
            _ => None,
        }
    }
}
