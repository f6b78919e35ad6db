//! What this process put last is read from memory: a compaction reads the small files of the last commits, and a checkpoint
//! the versions of the log since the last one. Objects of a table never change, so what was put is what is there; all but
//! `_last_checkpoint`, which others put as well.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Larger objects are not kept: reading them is worth a request.
const LARGEST: usize = 64 << 10;
/// Bytes that an object takes beside its own: its path twice, and its place in the map.
const ENTRY: usize = 512;
/// Bytes that are kept, of all tables together.
const KEPT: usize = 32 << 20;

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

/// Objects in the order in which they were put.
#[derive(Default)]
struct Pool {
    objects: HashMap<(u64, Path), Bytes>,
    oldest_first: VecDeque<(u64, Path)>,
    bytes: usize,
}

impl Pool {
    fn put(&mut self, key: (u64, Path), object: Bytes) {
        self.remove(&key);
        self.bytes += weight(&object);
        self.objects.insert(key.clone(), object);
        self.oldest_first.push_back(key);
        while self.bytes > KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &(u64, Path)) {
        self.bytes -= self.objects.remove(key).map_or(0, |object| weight(&object));
    }
}

fn weight(object: &Bytes) -> usize {
    object.len() + ENTRY
}

/// A storage whose small objects are remembered for a while after they were put through it.
#[derive(Clone, Debug)]
pub(super) struct RecentStore {
    store: Arc<dyn ObjectStore>,
    /// A table that is opened again knows nothing of what it put before: somebody may have made it anew.
    number: u64,
}

impl RecentStore {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { store, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    fn find(&self, location: &Path) -> Option<Bytes> {
        pool().objects.get(&(self.number, location.clone())).cloned()
    }
}

fn pool() -> std::sync::MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for RecentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

fn never_changes(location: &Path) -> bool {
    location.filename().is_some_and(|name| !name.starts_with('_'))
}

/// Nothing is asked but the bytes.
fn is_plain(options: &GetOptions) -> bool {
    let GetOptions { if_match, if_none_match, if_modified_since, if_unmodified_since, version, head, .. } = options;
    let asks = [if_match, if_none_match, version].into_iter().any(Option::is_some);
    !asks && if_modified_since.is_none() && if_unmodified_since.is_none() && !head
}

/// The answer that the storage would give, but for the time at which the object was put.
#[expect(clippy::default_trait_access, reason = "the type is of a crate that is not ours")]
fn answer(location: &Path, object: &Bytes, options: &GetOptions) -> Option<GetResult> {
    let size = object.len() as u64;
    let range = match &options.range {
        Some(range) => range.as_range(size).ok()?,
        None => 0..size,
    };
    let part = object.slice(range.start as usize..range.end as usize);
    Some(GetResult {
        payload: GetResultPayload::Stream(stream::once(async { Ok(part) }).boxed()),
        meta: ObjectMeta {
            location: location.clone(),
            last_modified: Default::default(),
            size,
            e_tag: None,
            version: None,
        },
        range,
        attributes: Attributes::default(),
    })
}

#[async_trait]
impl ObjectStore for RecentStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_kept = payload.content_length() <= LARGEST && never_changes(location);
        let object = is_kept.then(|| Bytes::from(payload.clone()));
        let put = self.store.put_opts(location, payload, options).await?;
        if let Some(object) = object {
            pool().put((self.number, location.clone()), object);
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let object = if is_plain(&options) { self.find(location) } else { None };
        match object.and_then(|object| answer(location, &object, &options)) {
            Some(found) => Ok(found),
            None => self.store.get_opts(location, options).await,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let number = self.number;
        let forgotten = locations.inspect_ok(move |location| pool().remove(&(number, location.clone())));
        self.store.delete_stream(forgotten.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        pool().remove(&(self.number, to.clone()));
        self.store.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    fn bytes(length: usize) -> PutPayload {
        vec![7; length].into()
    }

    #[tokio::test]
    async fn small_objects_are_read_from_memory_until_they_are_deleted_or_the_table_is_opened_again() {
        let storage = Arc::new(InMemory::new());
        let store = RecentStore::new(Arc::clone(&storage) as Arc<dyn ObjectStore>);
        let (small, large) = (Path::from("small"), Path::from("large"));
        store.put(&small, bytes(LARGEST)).await.unwrap();
        store.put(&large, bytes(LARGEST + 1)).await.unwrap();
        storage.delete(&small).await.unwrap();
        storage.delete(&large).await.unwrap();
        assert_eq!(store.get(&small).await.unwrap().bytes().await.unwrap().len(), LARGEST);
        assert_eq!(store.get_range(&small, 5..9).await.unwrap().as_ref(), [7; 4]);
        assert!(store.head(&small).await.is_err(), "whether it is there, the storage says");
        assert!(store.get(&large).await.is_err());
        assert!(RecentStore::new(storage.clone()).get(&small).await.is_err());
        let hint = Path::from("_delta_log/_last_checkpoint");
        store.put(&hint, bytes(1)).await.unwrap();
        storage.put(&hint, bytes(2)).await.unwrap();
        assert_eq!(store.get(&hint).await.unwrap().bytes().await.unwrap().len(), 2, "another engine put it");
        store.put(&small, bytes(3)).await.unwrap();
        store.delete(&small).await.unwrap();
        assert!(store.get(&small).await.is_err());
    }

    #[test]
    fn the_oldest_leave_first_when_there_is_no_room() {
        let mut pool = Pool::default();
        let key = |number: usize| (0, Path::from(number.to_string()));
        let object = Bytes::from(vec![0; KEPT / 4 - ENTRY]);
        (0..6).for_each(|number| pool.put(key(number), object.clone()));
        let kept: Vec<usize> = (0..6).filter(|number| pool.objects.contains_key(&key(*number))).collect();
        assert_eq!((kept, pool.bytes), (vec![2, 3, 4, 5], KEPT));
    }
}
