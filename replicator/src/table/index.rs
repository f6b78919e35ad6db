//! Where each key lives now: (data file, row). This form lives in memory and is rebuilt at start from the key columns;
//! nothing outside of this file knows that.

use crate::change::{KeyHash, KeyMap};

/// Number of a live data file, unique within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId(pub(super) u32);

/// The place of a row: data file and position within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowLocation {
    /// The data file.
    pub file: FileId,
    /// Position of the row in the file, from 0, deleted rows counted.
    pub row: u32,
}

/// The live rows of one table by key.
#[derive(Default)]
pub(super) struct KeyIndex {
    locations: KeyMap<RowLocation>,
}

impl KeyIndex {
    /// Number of live rows.
    pub(super) fn len(&self) -> usize {
        self.locations.len()
    }

    /// Where the live row of a key is.
    pub(super) fn locate(&self, key: KeyHash) -> Option<RowLocation> {
        self.locations.get(&key).copied()
    }

    /// Takes note of a live row. Returns the place that held this key before, if any.
    pub(super) fn insert(&mut self, key: KeyHash, location: RowLocation) -> Option<RowLocation> {
        self.locations.insert(key, location)
    }

    /// The key has no live row any more.
    pub(super) fn remove(&mut self, key: KeyHash) {
        self.locations.remove(&key);
    }

    /// The table is empty.
    pub(super) fn clear(&mut self) {
        self.locations = KeyMap::default();
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.locations.reserve(rows);
    }
}
