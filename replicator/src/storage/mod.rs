//! Where tables lie: a store of `object_store` for each scheme, without the AWS SDK beside it.

mod credentials;
mod profile;
mod s3;
mod trouble;

use std::collections::HashMap;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore};
use url::Url;

pub use credentials::SECRET_FOLDER;
pub(crate) use credentials::read_secret;
pub(crate) use trouble::{Trouble, error_code};

/// The same options, but little is tried again: somebody waits for the answer.
pub(crate) fn hasty(options: HashMap<String, String>) -> HashMap<String, String> {
    let hasty = [("max_retries", "1"), ("retry_timeout", "10s"), ("connect_timeout", "5s")];
    options.into_iter().chain(hasty.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// A folder of a storage.
#[derive(Clone, Debug)]
pub struct Place {
    /// The storage from its root, in which addresses are paths of their URLs.
    pub root: Arc<dyn ObjectStore>,
    /// The folder, with paths below it.
    pub folder: Arc<dyn ObjectStore>,
}

impl Place {
    /// The folder that `url` names (`s3://bucket/folder`, `file:///folder`, `memory:///`), reached with `options` in the
    /// keys of `object_store`. Nothing is asked of the storage yet.
    pub fn open(url: &Url, options: &HashMap<String, String>) -> Result<Self, Error> {
        let root: Arc<dyn ObjectStore> = match url.scheme() {
            "s3" | "s3a" => Arc::new(s3::build(url, options)?),
            "file" => Arc::new(LocalFileSystem::new()),
            "memory" => Arc::new(InMemory::new()),
            scheme => return Err(unknown(scheme)),
        };
        Self::within(root, url)
    }

    /// The folder that the path of `url` names in `root`.
    pub fn within(root: Arc<dyn ObjectStore>, url: &Url) -> Result<Self, Error> {
        let path = Path::from_url_path(url.path())?;
        let folder: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root), path));
        Ok(Self { root, folder })
    }
}

fn unknown(scheme: &str) -> Error {
    let source = format!("{scheme}:// is none of s3://, s3a:// and file://").into();
    Error::Generic { store: "destination", source }
}
