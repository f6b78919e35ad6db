//! Which table is written, how it is reached, and how it is looked after.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use tributary_crds::Writes;
use url::Url;

use super::recent::RecentStore;
use super::{Clock, Maintenance, Opening, TableError};
use crate::storage::Place;

/// Which table is written, and how it is reached.
#[derive(Clone, Debug)]
pub struct TableSpec {
    /// Root of the table: `s3://bucket/path`, `file:///path`.
    pub url: Url,
    /// Options of the storage, in the keys of `object_store`.
    pub options: HashMap<String, String>,
    /// The storage from its root, instead of the one that `url` and `options` name.
    pub store: Option<Arc<dyn ObjectStore>>,
    /// The topic the table is made from.
    pub topic: String,
    /// Identity of a new table, if it is to be that of another one, whose place it takes; else it gets its own.
    pub id: Option<String>,
    /// Columns that partition a new table.
    pub partition_by: Vec<String>,
    /// Columns by which compaction sorts.
    pub cluster_by: Vec<String>,
    /// How rows leave the table.
    pub writes: Writes,
    /// How the table is looked after.
    pub maintenance: Maintenance,
    /// Directory of the key index; without one it is kept in memory.
    pub index_dir: Option<PathBuf>,
    /// Files of fewer rows have their keys in memory all the same: they are gone soon, and read again in no time.
    pub index_memory_rows: u64,
    /// How far the table is opened.
    pub opening: Opening,
    /// The time that goes into the log.
    pub clock: Clock,
}

impl TableSpec {
    /// A table with the defaults of everything else.
    pub fn new(url: Url, topic: impl Into<String>) -> Self {
        Self {
            url,
            options: HashMap::new(),
            store: None,
            topic: topic.into(),
            id: None,
            partition_by: Vec::new(),
            cluster_by: Vec::new(),
            writes: Writes::default(),
            maintenance: Maintenance::default(),
            index_dir: None,
            index_memory_rows: 8192,
            opening: Opening::default(),
            clock: Clock::default(),
        }
    }

    pub(super) fn uri(&self) -> String {
        self.url.to_string()
    }

    /// The table's folder, through a memory of what was put last.
    pub(super) fn place(&self) -> Result<Place, TableError> {
        let root = match &self.store {
            Some(store) => Ok(Arc::clone(store)),
            None => Place::open(&self.url, &self.options).map(|place| place.root),
        };
        let place = root.and_then(|root| Place::within(Arc::new(RecentStore::new(root)), &self.url));
        place.map_err(TableError::storage("open", &self.uri()))
    }
}
