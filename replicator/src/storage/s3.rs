//! S3 and what speaks its protocol.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Error, RetryConfig};
use url::Url;

/// Builds a store from the options of [`AmazonS3ConfigKey`]. Credentials that no option names are those of the
/// environment: a web identity (IRSA), the container's or the machine's own.
pub(super) fn build(url: &Url, options: &HashMap<String, String>) -> Result<AmazonS3, Error> {
    let mut builder = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry(options));
    for (name, value) in options {
        if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
            builder = builder.with_config(key, value);
        }
    }
    builder.build()
}

/// `max_retries`, a number, and `retry_timeout` in seconds (`30s`).
fn retry(options: &HashMap<String, String>) -> RetryConfig {
    let mut retry = RetryConfig::default();
    if let Some(times) = options.get("max_retries").and_then(|times| times.parse().ok()) {
        retry.max_retries = times;
    }
    let seconds = options.get("retry_timeout").and_then(|timeout| timeout.trim_end_matches('s').parse().ok());
    if let Some(seconds) = seconds {
        retry.retry_timeout = Duration::from_secs(seconds);
    }
    retry
}
