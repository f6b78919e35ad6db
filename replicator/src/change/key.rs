//! The identity of a row: a hash of its key columns, wide enough never to be checked against the key itself.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The seeded XXH3 hash of a key. Among 10⁹ rows the chance that any two collide is below 10⁻²⁰.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash {
    high: u64,
    low: u64,
}

impl KeyHash {
    /// The hash of a key in its row encoding.
    fn of(encoded: &[u8], seed: u64) -> Self {
        let hash = xxh3_128_with_seed(encoded, seed);
        Self { high: (hash >> 64) as u64, low: hash as u64 }
    }

    /// All 128 bits.
    pub(crate) fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    #[cfg(test)]
    pub(crate) fn from_bits(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

/// The first 16 bytes of a key in its row encoding: it sorts like the key wherever two of them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPrefix {
    high: u64,
    low: u64,
}

impl KeyPrefix {
    fn of(encoded: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let length = encoded.len().min(16);
        bytes[..length].copy_from_slice(&encoded[..length]);
        let bits = u128::from_be_bytes(bytes);
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.high);
    }
}

/// A map by key. The key is a good hash already, so it is not hashed again.
pub type KeyMap<V> = hashbrown::HashMap<KeyHash, V, BuildHasherDefault<PassThrough>>;

/// Hands the 64 bits of a [`KeyHash`] on as they are.
#[derive(Clone, Copy, Default)]
pub struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) ^ u64::from(*byte);
        }
    }
}

/// Turns key columns into hashes and into rows that sort like the key.
#[derive(Debug)]
pub struct KeyEncoder {
    converter: RowConverter,
    seed: u64,
}

impl KeyEncoder {
    /// An encoder for key columns of these types, in key order. A type that Arrow cannot order is an error.
    pub fn new(types: impl IntoIterator<Item = DataType>) -> Result<Self, ArrowError> {
        let fields = types.into_iter().map(SortField::new).collect();
        Ok(Self { converter: RowConverter::new(fields)?, seed: 0 })
    }

    /// The same with hashes that nobody foresees who does not know `seed`.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// One hash per row of the key columns.
    pub fn hashes(&self, columns: &[ArrayRef]) -> Result<Vec<KeyHash>, ArrowError> {
        Ok(self.rows(columns)?.iter().map(|row| KeyHash::of(row.as_ref(), self.seed)).collect())
    }

    /// The same, each with the prefix of its key.
    pub(super) fn hashes_and_prefixes(&self, columns: &[ArrayRef]) -> Result<Vec<(KeyHash, KeyPrefix)>, ArrowError> {
        let both = |row: arrow_row::Row<'_>| (KeyHash::of(row.as_ref(), self.seed), KeyPrefix::of(row.as_ref()));
        Ok(self.rows(columns)?.iter().map(both).collect())
    }

    /// The key columns in an encoding that compares like the key.
    pub fn rows(&self, columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(columns)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn equal_keys_hash_alike_and_neighbours_do_not() {
        let encoder = KeyEncoder::new([DataType::Int64, DataType::Utf8]).unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2, 1]));
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "a", "b"]));
        let hashes = encoder.hashes(&[ids, names]).unwrap();
        assert_eq!(hashes[0], hashes[1]);
        assert_ne!(hashes[0], hashes[2]);
        assert_ne!(hashes[0], hashes[3]);
    }
}
