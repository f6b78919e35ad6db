//! Says of most keys that are not in a run that they are not: a split block Bloom filter, as Parquet has them. A look-up
//! takes one line of the cache, and the lines of ascending hashes ascend.
//!
//! 12 bits a key; wrong once in about 200 times.

use bytes::{Buf, BufMut};

use super::format::Layout;
use crate::change::KeyHash;

/// One bit in each word stands for a key.
type Block = [u32; 8];
const BITS_OF_BLOCK: u64 = 256;
const BITS_OF_KEY: u64 = 12;

/// Parquet's: <https://github.com/apache/parquet-format/blob/master/BloomFilter.md>.
const SALTS: Block =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// A filter over the keys of one run.
pub(super) struct Filter {
    blocks: Box<[Block]>,
}

impl Filter {
    /// One without keys, for as many as there are rows.
    pub(super) fn new(layout: Layout) -> Self {
        Self { blocks: vec![[0; 8]; blocks(layout)].into() }
    }

    pub(super) fn insert(&mut self, hash: KeyHash) {
        let at = self.block(hash);
        for (word, bit) in self.blocks[at].iter_mut().zip(mask(hash)) {
            *word |= bit;
        }
    }

    /// `false`: the key is not there.
    pub(super) fn may_have(&self, hash: KeyHash) -> bool {
        let block = &self.blocks[self.block(hash)];
        block.iter().zip(mask(hash)).fold(0, |missing, (word, bit)| missing | (!word & bit)) == 0
    }

    /// The first bits of the hash say which, so that a larger hash never has an earlier block.
    fn block(&self, hash: KeyHash) -> usize {
        let first = (hash.bits() >> 96) as u64;
        ((first * self.blocks.len() as u64) >> 32) as usize
    }

    /// Bytes in memory, and when it is stored.
    pub(super) fn length(layout: Layout) -> usize {
        blocks(layout) * size_of::<Block>()
    }

    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        for word in self.blocks.as_flattened() {
            bytes.put_u32_le(*word);
        }
    }

    /// Reads what [`Filter::put`] wrote: [`Filter::length`] bytes.
    pub(super) fn take(layout: Layout, mut bytes: &[u8]) -> Self {
        let mut filter = Self::new(layout);
        for word in filter.blocks.as_flattened_mut() {
            *word = bytes.get_u32_le();
        }
        filter
    }
}

fn blocks(layout: Layout) -> usize {
    (layout.rows * BITS_OF_KEY).div_ceil(BITS_OF_BLOCK).max(1) as usize
}

/// The bits of a key: other bits of its hash than those that choose the block.
fn mask(hash: KeyHash) -> Block {
    let last = hash.bits() as u32;
    SALTS.map(|salt| 1 << (last.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> KeyHash {
        KeyHash::from_bits(xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes()))
    }

    #[test]
    fn a_filter_knows_its_keys_and_refuses_most_others_also_when_it_was_stored() {
        let layout = Layout::new(5000);
        let mut filter = Filter::new(layout);
        for number in 0..5000 {
            filter.insert(key(number));
        }
        let mut bytes = Vec::new();
        filter.put(&mut bytes);
        assert_eq!(bytes.len(), Filter::length(layout));
        let filter = Filter::take(layout, &bytes);
        assert!((0..5000).all(|number| filter.may_have(key(number))));
        let wrong = (5000..105_000).filter(|number| filter.may_have(key(*number))).count();
        assert!((100..1000).contains(&wrong), "{wrong} of 100,000");
    }

    #[test]
    fn a_filter_without_keys_refuses_all() {
        assert!(!Filter::new(Layout::new(0)).may_have(key(7)));
    }
}
