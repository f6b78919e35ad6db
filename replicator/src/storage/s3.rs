//! S3 and what speaks its protocol.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore,
};
use deltalake::{DeltaResult, DeltaTableError};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use url::Url;

use super::credentials::{FileCredentials, Source};

/// Builds stores from the options and, for what they leave open, from the environment: both in the words of
/// [`AmazonS3ConfigKey`], such as `AWS_REGION`. [`Source::of`] says where credentials are looked for.
pub(super) struct S3Factory;

impl ObjectStoreFactory for S3Factory {
    fn parse_url_opts(&self, url: &Url, config: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        let store = builder(url, config, &environment).build().map_err(DeltaTableError::from)?;
        Ok((Arc::new(store), Path::from_url_path(url.path()).map_err(object_store::Error::from)?))
    }
}

impl LogStoreFactory for S3Factory {
    fn with_options(
        &self,
        prefixed: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(prefixed, root, location, options))
    }
}

fn builder(url: &Url, config: &StorageConfig, environment: &HashMap<String, String>) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(config.retry.clone());
    let environment_of_aws = environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
    for (name, value) in environment_of_aws.chain(&config.raw) {
        if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
            builder = builder.with_config(key, value);
        }
    }
    match Source::of(&builder, &config.raw, environment) {
        Some(source) => builder.with_credentials(Arc::new(FileCredentials::new(source))),
        None => builder,
    }
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
        let config = StorageConfig::parse_options(map(options)).unwrap();
        builder(&Url::parse("s3://lake/shop").unwrap(), &config, &map(environment))
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
        crate::storage::register();
        let url = Url::parse("s3a://lake/a%20shop/orders").unwrap();
        let config = StorageConfig::parse_options(map(&[(SECRET_FOLDER, "/secrets/lake")])).unwrap();
        let (store, prefix) = S3Factory.parse_url_opts(&url, &config).unwrap();
        assert_eq!((store.to_string().as_str(), prefix.as_ref()), ("AmazonS3(lake)", "a shop/orders"));
        assert!(format!("{store:?}").contains("/secrets/lake"));
    }
}
