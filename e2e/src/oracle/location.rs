//! Where a Delta table is, and what it takes to read it from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object_store::ObjectStore;
use url::Url;

use super::OracleError;

/// The address of a Delta table (`file://…` or `s3://bucket/folder`) with the object store's options.
#[derive(Clone, Debug)]
pub struct TableLocation {
    uri: String,
    options: Vec<(String, String)>,
}

impl TableLocation {
    /// A table in a local directory.
    pub fn local(directory: &Path) -> Self {
        Self { uri: format!("file://{}", directory.display()), options: Vec::new() }
    }

    /// A table at any address, with options as `object_store` names them (`aws_endpoint`, `aws_access_key_id`, …).
    pub fn new(uri: &str, options: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { uri: uri.trim_end_matches('/').to_string(), options: options.into_iter().collect() }
    }

    /// A table on an S3 at `endpoint` that takes plain HTTP and path-style requests, as LocalStack does.
    pub fn s3(uri: &str, endpoint: &str, access_key: &str, secret_key: &str) -> Self {
        let options = [
            ("aws_endpoint", endpoint),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", access_key),
            ("aws_secret_access_key", secret_key),
            ("aws_allow_http", "true"),
            ("aws_virtual_hosted_style_request", "false"),
        ];
        Self::new(uri, options.map(|(name, value)| (name.to_string(), value.to_string())))
    }

    /// The table in a folder below this one.
    #[must_use]
    pub fn join(&self, folder: &str) -> Self {
        Self { uri: format!("{}/{folder}", self.uri), options: self.options.clone() }
    }

    /// The address.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The object store's options, by name.
    pub fn options(&self) -> BTreeMap<&str, &str> {
        self.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The directory, for a table on the local disk.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.uri.strip_prefix("file://").map(PathBuf::from)
    }

    /// The store that holds the table, and the table's folder in it.
    pub(crate) fn store(&self) -> Result<(Box<dyn ObjectStore>, object_store::path::Path), OracleError> {
        let address = |reason: String| OracleError::Address { uri: self.uri.clone(), reason };
        let url = Url::parse(&self.uri).map_err(|e| address(e.to_string()))?;
        object_store::parse_url_opts(&url, self.options.clone()).map_err(|e| address(e.to_string()))
    }
}
