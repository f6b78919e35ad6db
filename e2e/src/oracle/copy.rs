//! Local copies of tables on object stores, brought up to date by copying only what is new.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{OracleError, TableLocation};

const CONCURRENT_COPIES: usize = 16;
const LOG: &str = "_delta_log";

/// How much of a table a read needs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Log,
    Everything,
}

/// The copies of all tables that one oracle has read. They go when it goes.
pub(super) struct Copies {
    root: TempDir,
    tables: Mutex<HashMap<String, Copy>>,
}

/// One table's copy: which version of each object (its `ETag`) is here.
struct Copy {
    directory: PathBuf,
    objects: HashMap<object_store::path::Path, Option<String>>,
}

impl Copies {
    pub(super) fn new() -> Result<Self, OracleError> {
        let root = TempDir::with_prefix("tributary-oracle-").map_err(|e| io("create a temporary directory", e))?;
        Ok(Self { root, tables: Mutex::default() })
    }

    /// Where the copies are, each in a folder of its own.
    pub(super) fn folder(&self) -> &Path {
        self.root.path()
    }

    /// The directory to read the table from: its own if it is local, else an up-to-date copy.
    pub(super) async fn local(&self, table: &TableLocation, part: Part) -> Result<PathBuf, OracleError> {
        if let Some(directory) = table.directory() {
            return Ok(directory);
        }
        let mut tables = self.tables.lock().await;
        let directory = self.root.path().join(tables.len().to_string());
        let new = || Copy { directory, objects: HashMap::new() };
        let copy = tables.entry(table.uri().to_string()).or_insert_with(new);
        copy.update(table, part).await?;
        Ok(copy.directory.clone())
    }
}

impl Copy {
    /// The log is listed before the data: what a listed commit refers to was written before it, so the copy is whole.
    async fn update(&mut self, table: &TableLocation, part: Part) -> Result<(), OracleError> {
        let (store, folder) = table.store()?;
        let failed = |source| OracleError::Copy { uri: table.uri().to_string(), source };
        let log = list(&*store, &folder.clone().join(LOG)).await.map_err(failed)?;
        let data = if part == Part::Everything { list(&*store, &folder).await.map_err(failed)? } else { Vec::new() };
        let is_log = |o: &ObjectMeta| o.location.prefix_match(&folder.clone().join(LOG)).is_some();
        let listed: Vec<ObjectMeta> = data.into_iter().filter(|o| !is_log(o)).chain(log).collect();
        if part == Part::Everything {
            let current: HashSet<_> = listed.iter().map(|o| &o.location).collect();
            self.forget(|path| !current.contains(path), &folder)?;
        }
        let changed: Vec<_> = listed.iter().filter(|o| self.objects.get(&o.location) != Some(&o.e_tag)).collect();
        let directory = &self.directory;
        let copies = changed.iter().map(|object| copy_object(&*store, &folder, object, directory, table.uri()));
        stream::iter(copies).buffer_unordered(CONCURRENT_COPIES).try_collect::<Vec<()>>().await?;
        self.objects.extend(changed.into_iter().map(|o| (o.location.clone(), o.e_tag.clone())));
        Ok(())
    }

    /// Removes what the table no longer has, so that a table that was written anew is not read with the old one's log.
    fn forget(
        &mut self,
        gone: impl Fn(&object_store::path::Path) -> bool,
        folder: &object_store::path::Path,
    ) -> Result<(), OracleError> {
        let stale: Vec<_> = self.objects.keys().filter(|path| gone(path)).cloned().collect();
        for path in stale {
            let file = local_path(&self.directory, folder, &path);
            std::fs::remove_file(file).map_err(|e| io("remove a stale file from its copy", e))?;
            self.objects.remove(&path);
        }
        Ok(())
    }
}

async fn list(
    store: &dyn ObjectStore,
    folder: &object_store::path::Path,
) -> Result<Vec<ObjectMeta>, object_store::Error> {
    store.list(Some(folder)).try_collect().await
}

async fn copy_object(
    store: &dyn ObjectStore,
    folder: &object_store::path::Path,
    object: &ObjectMeta,
    directory: &Path,
    uri: &str,
) -> Result<(), OracleError> {
    let failed = |source| OracleError::Copy { uri: uri.to_string(), source };
    let bytes = store.get(&object.location).await.map_err(failed)?.bytes().await.map_err(failed)?;
    let file = local_path(directory, folder, &object.location);
    let parent = file.parent().unwrap_or(directory);
    tokio::fs::create_dir_all(parent).await.map_err(|e| io("create a directory for its copy", e))?;
    tokio::fs::write(&file, bytes).await.map_err(|e| io("write its copy", e))
}

fn local_path(directory: &Path, folder: &object_store::path::Path, object: &object_store::path::Path) -> PathBuf {
    let relative = object.prefix_match(folder).into_iter().flatten();
    relative.fold(directory.to_path_buf(), |path, part| path.join(part.as_ref()))
}

fn io(what: &str, source: std::io::Error) -> OracleError {
    OracleError::Io { what: what.to_string(), source }
}
