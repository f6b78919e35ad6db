//! The destination in delta-rs's words.

use std::{collections::HashMap, fmt};

use tributary_crds::{Destination, S3};
use url::Url;

use super::{Secrets, SettingsError};

/// Region that is signed for when an endpoint is given without one: services that are not AWS take any.
const ANY_REGION: &str = "us-east-1";

/// A request that fails is tried again below us for a short time only: whoever asked tries again for ever, and says so.
const PATIENCE: [(&str, &str); 2] = [("max_retries", "3"), ("retry_timeout", "30s")];

/// Where the Delta tables are, and how that is reached.
#[derive(Clone)]
pub struct Storage {
    /// The folder that holds the tables: `s3://bucket/prefix`, `file:///folder`.
    pub url: Url,
    /// Options in the keys of delta-rs. The values may be secrets.
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
        set("AWS_ENDPOINT_URL", endpoint.trim_end_matches('/'));
    }
    if s3.allow_http {
        set("AWS_ALLOW_HTTP", "true");
    }
    if let Some(region) = s3.region.as_deref().or_else(|| s3.endpoint.as_ref().map(|_| ANY_REGION)) {
        set("AWS_REGION", region);
    }
    match &s3.credentials {
        Some(secret) => {
            let (field, name) = ("spec.destination.s3.credentials", &secret.secret_name);
            for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
                set(key, &secrets.value(field, name, key)?);
            }
            if let Some(token) = secrets.optional(field, name, "AWS_SESSION_TOKEN")? {
                set("AWS_SESSION_TOKEN", &token);
            }
        }
        // The store looks in the usual places: a web identity, the container, the machine.
        None => {}
    }
    Ok(options)
}
