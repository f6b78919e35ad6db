//! The Delta log of one table: a version is put if it is not there, and read.

mod action;
mod entry;

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

pub(super) use action::{Add, DeletionVector, Metadata, PartitionValues, Protocol, Remove, Txn};
pub(super) use entry::{ENGINE, Entry};

/// Folder of the log below the table.
pub(super) const FOLDER: &str = "_delta_log";

/// The log of one table.
#[derive(Clone, Debug)]
pub(super) struct Log {
    store: Arc<dyn ObjectStore>,
}

/// What became of a commit.
#[derive(Debug)]
pub(super) enum Landing {
    /// It is in the log.
    Landed,
    /// Somebody else's commit has its version.
    Taken(Box<Entry>),
}

impl Log {
    /// The log of the table in the folder of `store`.
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Puts `bytes`, whose commit is identified by `id`, as this version. After an error, what is there decides: a commit
    /// whose answer was lost is known by its identity. When that cannot be seen, or nothing is there, it is an error; put
    /// the *same* bytes again then, because the first attempt may still land.
    pub(super) async fn land(&self, version: u64, id: &str, bytes: Bytes) -> Result<Landing, Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let Err(error) = self.store.put_opts(&path(version), bytes.into(), options).await else {
            return Ok(Landing::Landed);
        };
        match self.read(version).await? {
            Some(entry) if entry.id() == Some(id) => Ok(Landing::Landed),
            Some(entry) => Ok(Landing::Taken(Box::new(entry))),
            None => Err(error),
        }
    }

    /// The commit of this version; `None` when there is none.
    pub(super) async fn read(&self, version: u64) -> Result<Option<Entry>, Error> {
        let path = path(version);
        let bytes = match self.store.get(&path).await {
            Ok(found) => found.bytes().await?,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let unreadable = |source| Error::Generic { store: "Delta log", source: Box::new(Unreadable { path, source }) };
        Entry::parse(version, &bytes).map(Some).map_err(unreadable)
    }
}

/// A version of the log is no JSON, or not what the Delta protocol says.
#[derive(Debug, thiserror::Error)]
#[error("{path} is not readable")]
struct Unreadable {
    path: Path,
    source: serde_json::Error,
}

/// Path of a version below the table.
pub(super) fn path(version: u64) -> Path {
    Path::from(format!("{FOLDER}/{version:020}.json"))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn commit(id: &str) -> Bytes {
        let mut entry = Entry::default();
        entry.identify(id);
        entry.to_json().unwrap()
    }

    #[tokio::test]
    async fn a_commit_whose_answer_was_lost_is_known_by_its_identity() {
        let log = Log::new(Arc::new(InMemory::new()));
        assert!(matches!(log.land(3, "a", commit("a")).await, Ok(Landing::Landed)));
        assert!(matches!(log.land(3, "a", commit("a")).await, Ok(Landing::Landed)), "the same again");
        let Ok(Landing::Taken(entry)) = log.land(3, "b", commit("b")).await else { panic!("another one") };
        assert_eq!((entry.version, entry.id()), (3, Some("a")));
        assert!(log.read(4).await.unwrap().is_none());
    }
}
