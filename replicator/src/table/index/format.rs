//! The bytes of a key run: which row of a data file has which key.
//!
//! Entries are sorted by the hash of the key. The first bits of a hash are the number of its bucket and are not stored;
//! of the rest, [`FINGERPRINT`] bytes are. So hashes are told apart by 80 bits and one more for each doubling of the rows.
//!
//! ```text
//! head (32 bytes) | entries: fingerprint, row | fan-out: first entry of each bucket | checksum of the entries of each bucket
//! | filter
//! ```
//! The checksum in the head covers what stands after the entries.
//! A segment is a power of two of buckets: it bounds the memory that building takes, whatever the size of the file.

use bytes::{Buf, BufMut};
use xxhash_rust::xxh3::xxh3_64;

use crate::change::KeyHash;

/// Bytes of a stored hash.
const FINGERPRINT: usize = 10;
/// Bytes of an entry: hash and row.
pub(super) const ENTRY: usize = FINGERPRINT + size_of::<u32>();
/// Bytes before the entries.
pub(super) const HEAD: usize = 32;
/// Rows for which a bucket is made.
const BUCKET_ROWS: u64 = 48;
/// Rows for which a segment is made.
const SEGMENT_ROWS: u64 = 1 << 20;
const MAGIC: u64 = u64::from_be_bytes(*b"TRIBKEY3");

/// How hashes are spread: follows from the number of rows alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Rows of the data file, deleted ones too.
    pub rows: u64,
    bucket_bits: u32,
    segment_bits: u32,
}

impl Layout {
    pub(super) fn new(rows: u64) -> Self {
        let bits = |size: u64| (rows.div_ceil(size)).max(1).next_power_of_two().trailing_zeros();
        Self { rows, bucket_bits: bits(BUCKET_ROWS), segment_bits: bits(SEGMENT_ROWS) }
    }

    pub(super) fn buckets(self) -> usize {
        1 << self.bucket_bits
    }

    pub(super) fn segments(self) -> usize {
        1 << self.segment_bits
    }

    pub(super) fn bucket(self, hash: KeyHash) -> usize {
        top(hash, self.bucket_bits)
    }

    pub(super) fn segment(self, hash: KeyHash) -> usize {
        top(hash, self.segment_bits)
    }

    /// What is stored of a hash.
    pub(super) fn fingerprint(self, hash: KeyHash) -> [u8; FINGERPRINT] {
        let bytes = (hash.bits() << self.bucket_bits).to_be_bytes();
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&bytes[..FINGERPRINT]);
        fingerprint
    }

    /// Where the fan-out begins.
    pub(super) fn fan_out_at(self) -> u64 {
        (HEAD as u64).saturating_add(self.rows.saturating_mul(ENTRY as u64))
    }

    /// Bytes of the fan-out and the checksums.
    pub(super) fn buckets_len(self) -> usize {
        (2 * self.buckets() + 1) * size_of::<u32>()
    }

    /// The head of a run whose part after the entries has `tail` bytes with this checksum.
    pub(super) fn head(self, tail: u64, checksum: u64) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let mut at = head.as_mut_slice();
        at.put_u64(MAGIC);
        at.put_u64(self.rows);
        at.put_u64(tail);
        at.put_u64(checksum);
        head
    }

    /// Reads what [`Layout::head`] wrote: layout, bytes and checksum of the tail.
    pub(super) fn of_head(mut head: &[u8]) -> Option<(Self, u64, u64)> {
        if head.len() < HEAD || head.get_u64() != MAGIC {
            return None;
        }
        Some((Self::new(head.get_u64()), head.get_u64(), head.get_u64()))
    }
}

/// The first `bits` bits of a hash.
fn top(hash: KeyHash, bits: u32) -> usize {
    hash.bits().checked_shr(128 - bits).unwrap_or(0) as usize
}

/// Checksum of the entries of a bucket.
pub(super) fn checksum(entries: &[u8]) -> u32 {
    xxh3_64(entries) as u32
}

/// Appends an entry.
pub(super) fn put_entry(bytes: &mut Vec<u8>, layout: Layout, hash: KeyHash, row: u32) {
    bytes.extend(layout.fingerprint(hash));
    bytes.put_u32_le(row);
}

/// The rows of the entries in `bytes` that have this fingerprint.
pub(super) fn rows_of(bytes: &[u8], fingerprint: [u8; FINGERPRINT]) -> impl Iterator<Item = u32> + '_ {
    let entries = bytes.chunks_exact(ENTRY);
    entries.filter(move |entry| entry[..FINGERPRINT] == fingerprint).map(|entry| (&entry[FINGERPRINT..]).get_u32_le())
}
