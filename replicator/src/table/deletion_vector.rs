//! Deletion vectors: one `.bin` file per commit with the deleted rows of every data file that the commit touches
//! (Delta protocol, "Deletion Vector Format").

use std::sync::Arc;

use buoyant_kernel::actions::deletion_vector::{
    DeletionVectorDescriptor as KernelDescriptor, DeletionVectorStorageType,
};
use buoyant_kernel::actions::deletion_vector_writer::{DeletionVector as KernelVector, StreamingDeletionVectorWriter};
use buoyant_kernel::{DeltaResult, Error, StorageHandler};
use bytes::Bytes;
use object_store::path::Path;
use roaring::RoaringTreemap;
use url::Url;
use uuid::Uuid;

use super::log::DeletionVector;

/// Characters of a UUID in the log.
const UUID_TEXT: usize = 20;

/// Lets the kernel write a bitmap as it is.
struct Bitmap<'a>(&'a RoaringTreemap);

impl<'a> KernelVector for Bitmap<'a> {
    type IndexIterator = roaring::treemap::Iter<'a>;

    fn into_iter(self) -> Self::IndexIterator {
        self.0.iter()
    }

    fn cardinality(&self) -> u64 {
        self.0.len()
    }

    fn serialize(self) -> DeltaResult<Bytes> {
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
    pub descriptors: Vec<DeletionVector>,
}

/// Packs bitmaps of deleted rows into one file, named by `id`.
pub(super) fn pack<'a>(bitmaps: impl Iterator<Item = &'a RoaringTreemap>, id: Uuid) -> DeltaResult<DeletionVectorFile> {
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let mut descriptors = Vec::new();
    for bitmap in bitmaps {
        let written = writer.write_deletion_vector(Bitmap(bitmap))?;
        descriptors.push(DeletionVector {
            storage_type: "u".to_owned(),
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
    descriptor: &DeletionVector,
    storage: Arc<dyn StorageHandler>,
    table: &Url,
) -> DeltaResult<RoaringTreemap> {
    let storage_type = match descriptor.storage_type.as_str() {
        "u" => DeletionVectorStorageType::PersistedRelative,
        "i" => DeletionVectorStorageType::Inline,
        "p" => DeletionVectorStorageType::PersistedAbsolute,
        other => return Err(Error::DeletionVector(format!("unknown storage type {other}"))),
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

/// Path below the table of the file that holds the vector; `None` for one that lies in the log or outside the table.
pub(super) fn path(storage_type: &str, path_or_inline_dv: &str) -> Option<String> {
    if storage_type != "u" || !path_or_inline_dv.is_ascii() || path_or_inline_dv.len() < UUID_TEXT {
        return None;
    }
    let (prefix, id) = path_or_inline_dv.split_at(path_or_inline_dv.len() - UUID_TEXT);
    let name = file_name(Uuid::from_slice(&z85::decode(id).ok()?).ok()?);
    Some(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

fn file_name(id: Uuid) -> String {
    format!("deletion_vector_{id}.bin")
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;
    use crate::table::kernel;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_packed_is_read_again_from_the_path_that_its_descriptor_names() {
        let store = Arc::new(InMemory::new());
        let url = Url::parse("memory:///").unwrap();
        let bitmaps: Vec<RoaringTreemap> = vec![[1, 5, 70_000].into_iter().collect(), (0..1000).collect()];
        let file = pack(bitmaps.iter(), Uuid::new_v4()).unwrap();
        store.put(&file.path, PutPayload::from(file.bytes)).await.unwrap();
        let storage = kernel::engine(store).unwrap().storage_handler();
        for (bitmap, descriptor) in bitmaps.into_iter().zip(file.descriptors) {
            let named = path(&descriptor.storage_type, &descriptor.path_or_inline_dv).unwrap();
            assert_eq!(named, file.path.as_ref());
            let (storage, url) = (Arc::clone(&storage), url.clone());
            let stored = tokio::task::spawn_blocking(move || read(&descriptor, storage, &url)).await.unwrap();
            assert_eq!(stored.unwrap(), bitmap);
        }
    }
}
