//! S3 and what speaks its protocol.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Error, RetryConfig};
use url::Url;

use super::credentials::{FileCredentials, Source};

/// Builds a store from the options and, for what they leave open, from the environment: both in the words of
/// [`AmazonS3ConfigKey`], such as `AWS_REGION`. [`Source::of`] says where credentials are looked for.
pub(super) fn build(url: &Url, options: &HashMap<String, String>) -> Result<AmazonS3, Error> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment = std::env::vars_os().filter_map(text).collect();
    builder(url, options, &environment).build()
}

fn builder(url: &Url, options: &HashMap<String, String>, environment: &HashMap<String, String>) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(retry(options));
    let environment_of_aws = environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
    for (name, value) in environment_of_aws.chain(options) {
        if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
            builder = builder.with_config(key, value);
        }
    }
    match Source::of(&builder, options, environment) {
        Some(source) => builder.with_credentials(Arc::new(FileCredentials::new(source))),
        None => builder,
    }
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

#[cfg(test)]
mod tests {
    use object_store::ClientConfigKey;

    use super::*;
    use crate::storage::SECRET_FOLDER;

    fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn built(options: &[(&str, &str)], environment: &[(&str, &str)]) -> AmazonS3Builder {
        builder(&Url::parse("s3://lake/shop").unwrap(), &map(options), &map(environment))
    }

    fn source(options: &[(&str, &str)], environment: &[(&str, &str)]) -> Option<Source> {
        Source::of(&built(options, environment), &map(options), &map(environment))
    }

    #[test]
    fn options_go_before_the_environment() {
        let environment = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL_S3", "http://other"),
            ("AWS_ALLOW_HTTP", "true"),
            ("REGION", "nowhere"),
        ];
        let value = |options: &[_], key| built(options, &environment).get_config_value(&key);
        let region = |options: &[_]| value(options, AmazonS3ConfigKey::Region);
        assert_eq!(region(&[]).as_deref(), Some("eu-west-1"));
        assert_eq!(region(&[("AWS_REGION", "eu-central-1")]).as_deref(), Some("eu-central-1"));
        let endpoint = value(&[("AWS_ENDPOINT_URL_S3", "http://minio")], AmazonS3ConfigKey::S3Endpoint);
        assert_eq!(endpoint.as_deref(), Some("http://minio"));
        let http = value(&[], AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        assert_eq!(http.as_deref(), Some("true"));
    }

    #[test]
    fn credentials_are_those_of_the_secret_then_of_the_environment_then_of_a_profile_then_of_the_machine() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("credentials");
        std::fs::write(&file, "[default]\naws_access_key_id = AKIA\naws_secret_access_key = hunter2\n").unwrap();
        let profile = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        let keys = ("AWS_ACCESS_KEY_ID", "ASIA");

        let secret = Some(Source::Secret("/secrets/lake".into()));
        assert_eq!(source(&[(SECRET_FOLDER, "/secrets/lake")], &[keys, profile]), secret);
        for other in [
            keys,
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ] {
            assert_eq!(source(&[], &[other, profile]), None, "{other:?}");
        }
        assert!(matches!(source(&[], &[profile]), Some(Source::Profile(_))));
        assert_eq!(source(&[], &[]), None);
    }

    #[test]
    fn a_store_is_rooted_at_the_bucket_and_shows_no_secrets() {
        let url = Url::parse("s3a://lake/a%20shop/orders").unwrap();
        let store = build(&url, &map(&[(SECRET_FOLDER, "/secrets/lake"), ("AWS_REGION", "us-east-1")])).unwrap();
        assert_eq!(store.to_string(), "AmazonS3(lake)");
        assert!(format!("{store:?}").contains("/secrets/lake"));
    }
}
