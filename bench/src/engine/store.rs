//! A storage that counts what is asked of it, as S3 would bill it.

use std::fmt;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// Objects in an answer of a list, and in a request to delete.
const PAGE: u64 = 1000;

/// Requests by kind, and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Requests {
    pub(super) puts: u64,
    pub(super) gets: u64,
    /// Those of them that read the Delta log.
    pub(super) gets_of_log: u64,
    pub(super) lists: u64,
    pub(super) deletes: u64,
    pub(super) bytes_written: u64,
}

impl Requests {
    pub(super) fn all(&self) -> u64 {
        self.puts + self.gets + self.lists + self.deletes
    }
}

impl Sub for Requests {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            puts: self.puts - before.puts,
            gets: self.gets - before.gets,
            gets_of_log: self.gets_of_log - before.gets_of_log,
            lists: self.lists - before.lists,
            deletes: self.deletes - before.deletes,
            bytes_written: self.bytes_written - before.bytes_written,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    puts: AtomicU64,
    gets: AtomicU64,
    gets_of_log: AtomicU64,
    listed: AtomicU64,
    lists: AtomicU64,
    deleted: AtomicU64,
    deletes: AtomicU64,
    bytes_written: AtomicU64,
}

/// A storage and what was asked of it.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    store: Arc<dyn ObjectStore>,
    counters: Arc<Counters>,
}

impl Counted {
    pub(super) fn new(store: impl ObjectStore) -> Self {
        Self { store: Arc::new(store), counters: Arc::default() }
    }

    /// What was asked so far. A full page of a list, and of a request to delete, counts as one more.
    pub(super) fn requests(&self) -> Requests {
        let Counters { puts, gets, gets_of_log, listed, lists, deleted, deletes, bytes_written } = &*self.counters;
        Requests {
            puts: puts.load(Relaxed),
            gets: gets.load(Relaxed),
            gets_of_log: gets_of_log.load(Relaxed),
            lists: lists.load(Relaxed) + listed.load(Relaxed) / PAGE,
            deletes: deletes.load(Relaxed) + deleted.load(Relaxed) / PAGE,
            bytes_written: bytes_written.load(Relaxed),
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.counters.puts.fetch_add(1, Relaxed);
        self.counters.bytes_written.fetch_add(payload.content_length() as u64, Relaxed);
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.counters.puts.fetch_add(1, Relaxed);
        let upload = self.store.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { upload, counters: Arc::clone(&self.counters) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.counters.gets.fetch_add(1, Relaxed);
        let of_log = location.as_ref().contains("_delta_log/");
        self.counters.gets_of_log.fetch_add(u64::from(of_log), Relaxed);
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let counters = Arc::clone(&self.counters);
        let mut first = true;
        let counted = locations.inspect_ok(move |_| {
            counters.deletes.fetch_add(u64::from(std::mem::take(&mut first)), Relaxed);
            counters.deleted.fetch_add(1, Relaxed);
        });
        self.store.delete_stream(counted.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let counters = Arc::clone(&self.counters);
        counters.lists.fetch_add(1, Relaxed);
        let listed = self.store.list(prefix);
        listed
            .inspect_ok(move |_| {
                counters.listed.fetch_add(1, Relaxed);
            })
            .boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let counters = Arc::clone(&self.counters);
        counters.lists.fetch_add(1, Relaxed);
        let listed = self.store.list_with_offset(prefix, offset);
        listed
            .inspect_ok(move |_| {
                counters.listed.fetch_add(1, Relaxed);
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.counters.lists.fetch_add(1, Relaxed);
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.counters.puts.fetch_add(1, Relaxed);
        self.store.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    counters: Arc<Counters>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.counters.puts.fetch_add(1, Relaxed);
        self.counters.bytes_written.fetch_add(data.content_length() as u64, Relaxed);
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.counters.puts.fetch_add(1, Relaxed);
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.counters.deletes.fetch_add(1, Relaxed);
        self.upload.abort().await
    }
}
