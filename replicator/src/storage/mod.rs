//! How delta-rs reaches a storage: the stores of `object_store` itself, without the AWS SDK beside them.

mod credentials;
mod profile;
mod s3;

use std::sync::{Arc, Once};

use deltalake::logstore::{logstore_factories, object_store_factories};
use url::Url;

pub use credentials::SECRET_FOLDER;
pub(crate) use credentials::read_secret;
use s3::S3Factory;

/// Makes `s3://` and `s3a://` known to delta-rs. Cheap to call again.
pub fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let factory = Arc::new(S3Factory);
        for scheme in ["s3://", "s3a://"].into_iter().filter_map(|scheme| Url::parse(scheme).ok()) {
            object_store_factories().insert(scheme.clone(), factory.clone());
            logstore_factories().insert(scheme, factory.clone());
        }
    });
}
