//! The destination in delta-rs's words.

use std::{collections::HashMap, fmt};

use tributary_crds::{Destination, S3};
use url::Url;

use super::{Secrets, SettingsError};
use crate::storage::{SECRET_FOLDER, read_secret};

/// Region that is signed for when an endpoint is given without one: services that are not AWS take any.
const ANY_REGION: &str = "us-east-1";

/// A request that fails is tried again below us for a short time only: whoever asked tries again for ever, and says so.
const PATIENCE: [(&str, &str); 2] = [("max_retries", "3"), ("retry_timeout", "30s")];

/// Where the Delta tables are, and how that is reached.
#[derive(Clone)]
pub struct Storage {
    /// The folder that holds the tables: `s3://bucket/prefix`, `file:///folder`.
    pub url: Url,
    /// Options in the keys of delta-rs. Secrets are not among them, only the folder that holds them.
    pub options: HashMap<String, String>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options: Vec<&String> = self.options.keys().collect();
        options.sort();
        f.debug_struct("Storage").field("url", &self.url.as_str()).field("options", &options).finish()
    }
}

impl Storage {
    pub(super) fn of(destination: &Destination, secrets: &Secrets) -> Result<Self, SettingsError> {
        let url = parsed(&destination.uri)?;
        let options = destination.s3.as_ref().map(|s3| options(s3, secrets)).transpose()?.unwrap_or_default();
        Ok(Self { url, options })
    }

    /// A folder below the destination.
    pub(super) fn folder(&self, target: &str) -> Result<Url, SettingsError> {
        parsed(&format!("{}/{target}", self.url.as_str().trim_end_matches('/')))
    }
}

fn parsed(uri: &str) -> Result<Url, SettingsError> {
    Url::parse(uri).map_err(|source| SettingsError::Url { field: "spec.destination.uri".to_owned(), source })
}

fn options(s3: &S3, secrets: &Secrets) -> Result<HashMap<String, String>, SettingsError> {
    let mut options = HashMap::new();
    let mut set = |name: &str, value: &str| drop(options.insert(name.to_owned(), value.to_owned()));
    for (name, value) in PATIENCE {
        set(name, value);
    }
    if let Some(endpoint) = &s3.endpoint {
        // The name that goes before all others, whatever the environment has.
        set("AWS_ENDPOINT_URL_S3", endpoint.trim_end_matches('/'));
    }
    if s3.allow_http {
        set("AWS_ALLOW_HTTP", "true");
    }
    if let Some(region) = s3.region.as_deref().or_else(|| s3.endpoint.as_ref().map(|_| ANY_REGION)) {
        set("AWS_REGION", region);
    }
    // Without a Secret, the store looks for credentials in the usual places.
    if let Some(secret) = &s3.credentials {
        set(SECRET_FOLDER, &credentials(&secret.secret_name, secrets)?);
    }
    Ok(options)
}

/// The folder that credentials are read from, again and again: they are looked at now, so that what is missing is said now.
fn credentials(secret: &str, secrets: &Secrets) -> Result<String, SettingsError> {
    let folder = secrets.folder("spec.destination.s3.credentials", secret, "AWS_ACCESS_KEY_ID")?;
    read_secret(&folder)?;
    Ok(folder.to_string_lossy().into_owned())
}
