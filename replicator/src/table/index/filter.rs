//! Says of most keys that are not in a segment that they are not: about 9 bits a key, wrong once in 256 times.

use bytes::{Buf, BufMut};
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef};

const DESCRIPTOR: usize = <BinaryFuse8 as DmaSerializable>::DESCRIPTOR_LEN;

/// A filter over the keys of one segment.
pub(super) enum Filter {
    /// A filter that was made, or read.
    Fuse { descriptor: [u8; DESCRIPTOR], fingerprints: Box<[u8]> },
    /// Lets everything through: few keys, or none could be made of them.
    Open,
}

/// Fewer keys than this are looked for without a filter.
const FEWEST: usize = 32;

impl Filter {
    pub(super) fn of(mut keys: Vec<u64>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        if keys.len() < FEWEST {
            return Self::Open;
        }
        let Ok(filter) = BinaryFuse8::try_from(&keys) else { return Self::Open };
        let mut descriptor = [0; DESCRIPTOR];
        filter.dma_copy_descriptor_to(&mut descriptor);
        Self::Fuse { descriptor, fingerprints: filter.fingerprints }
    }

    /// `false`: the key is not there.
    pub(super) fn may_have(&self, key: u64) -> bool {
        match self {
            Self::Open => true,
            Self::Fuse { descriptor, fingerprints } => {
                BinaryFuse8Ref::from_dma(descriptor, fingerprints).contains(&key)
            }
        }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Open => 0,
            Self::Fuse { fingerprints, .. } => fingerprints.len() + DESCRIPTOR,
        }
    }

    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Open => bytes.put_u32_le(u32::MAX),
            Self::Fuse { descriptor, fingerprints } => {
                bytes.put_u32_le(fingerprints.len() as u32);
                bytes.extend(descriptor);
                bytes.extend(fingerprints.iter());
            }
        }
    }

    /// Reads what [`Filter::put`] wrote; `None` when the bytes are no filter.
    pub(super) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let length = bytes.try_get_u32_le().ok()?;
        if length == u32::MAX {
            return Some(Self::Open);
        }
        let length = length as usize;
        if bytes.len() < DESCRIPTOR + length {
            return None;
        }
        let mut descriptor = [0; DESCRIPTOR];
        bytes.copy_to_slice(&mut descriptor);
        let fingerprints = bytes[..length].into();
        bytes.advance(length);
        Some(Self::Fuse { descriptor, fingerprints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_knows_its_keys_and_refuses_most_others_also_when_it_was_stored() {
        let keys: Vec<u64> = (0..5000_u64).map(|key| key.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let mut bytes = Vec::new();
        Filter::of(keys.clone()).put(&mut bytes);
        let filter = Filter::take(&mut bytes.as_slice()).unwrap();
        assert!(keys.iter().all(|key| filter.may_have(*key)));
        let wrong = (1..10_000_u64).filter(|key| filter.may_have(key.wrapping_mul(0xD134_2543_DE82_EF95))).count();
        assert!(wrong < 100, "{wrong}");
    }
}
