//! Deletion vectors: one `.bin` file per commit with the deleted rows of every data file that the commit touches
//! (Delta protocol, "Deletion Vector Format").

use std::sync::Arc;

use buoyant_kernel::StorageHandler;
use buoyant_kernel::actions::deletion_vector::{
    DeletionVectorDescriptor as KernelDescriptor, DeletionVectorStorageType,
};
use buoyant_kernel::actions::deletion_vector_writer::{DeletionVector, StreamingDeletionVectorWriter};
use bytes::Bytes;
use deltalake::kernel::{DeletionVectorDescriptor, StorageType};
use object_store::path::Path;
use roaring::RoaringTreemap;
use url::Url;
use uuid::Uuid;

/// Lets the kernel write a bitmap as it is.
struct Bitmap<'a>(&'a RoaringTreemap);

impl<'a> DeletionVector for Bitmap<'a> {
    type IndexIterator = roaring::treemap::Iter<'a>;

    fn into_iter(self) -> Self::IndexIterator {
        self.0.iter()
    }

    fn cardinality(&self) -> u64 {
        self.0.len()
    }

    fn serialize(self) -> buoyant_kernel::DeltaResult<Bytes> {
        let mut bytes = Vec::with_capacity(self.0.serialized_size());
        self.0.serialize_into(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Deletion vectors in one file, ready to be put.
pub(super) struct DeletionVectorFile {
    /// Path below the table.
    pub path: Path,
    /// Content of the file.
    pub bytes: Bytes,
    /// One descriptor per bitmap, in order.
    pub descriptors: Vec<DeletionVectorDescriptor>,
}

/// Packs bitmaps of deleted rows into one file, named by `id`.
pub(super) fn pack<'a>(
    bitmaps: impl Iterator<Item = &'a RoaringTreemap>,
    id: Uuid,
) -> buoyant_kernel::DeltaResult<DeletionVectorFile> {
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let mut descriptors = Vec::new();
    for bitmap in bitmaps {
        let written = writer.write_deletion_vector(Bitmap(bitmap))?;
        descriptors.push(DeletionVectorDescriptor {
            storage_type: StorageType::UuidRelativePath,
            path_or_inline_dv: z85::encode(id.as_bytes()),
            offset: Some(written.offset),
            size_in_bytes: written.size_in_bytes,
            cardinality: written.cardinality,
        });
    }
    writer.finalize()?;
    Ok(DeletionVectorFile { path: Path::from(file_name(id)), bytes: bytes.into(), descriptors })
}

/// Reads a bitmap; blocks on the storage, so call it where that is allowed.
pub(super) fn read(
    descriptor: &DeletionVectorDescriptor,
    storage: Arc<dyn StorageHandler>,
    table: &Url,
) -> buoyant_kernel::DeltaResult<RoaringTreemap> {
    let storage_type = match descriptor.storage_type {
        StorageType::UuidRelativePath => DeletionVectorStorageType::PersistedRelative,
        StorageType::Inline => DeletionVectorStorageType::Inline,
        StorageType::AbsolutePath => DeletionVectorStorageType::PersistedAbsolute,
    };
    let kernel = KernelDescriptor::try_new(
        storage_type,
        descriptor.path_or_inline_dv.clone(),
        descriptor.offset,
        descriptor.size_in_bytes,
        descriptor.cardinality,
    )?;
    kernel.read(storage, table)
}

fn file_name(id: Uuid) -> String {
    format!("deletion_vector_{id}.bin")
}

#[cfg(test)]
mod tests {
    use deltalake::DeltaTableBuilder;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_packed_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(directory.path()).unwrap();
        let store = DeltaTableBuilder::from_url(url.clone()).unwrap().build_storage().unwrap();
        let bitmaps: Vec<RoaringTreemap> = vec![[1, 5, 70_000].into_iter().collect(), (0..1000).collect()];
        let file = pack(bitmaps.iter(), Uuid::new_v4()).unwrap();
        store.object_store(None).put(&file.path, PutPayload::from(file.bytes)).await.unwrap();
        for (bitmap, descriptor) in bitmaps.into_iter().zip(file.descriptors) {
            let (storage, url) = (store.engine(None).storage_handler(), url.clone());
            let stored = tokio::task::spawn_blocking(move || read(&descriptor, storage, &url)).await.unwrap();
            assert_eq!(stored.unwrap(), bitmap);
        }
    }
}
