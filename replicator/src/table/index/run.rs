//! A key run: the keys of one data file, looked up a batch at a time.

use bytes::Buf;
use xxhash_rust::xxh3::xxh3_64;

use super::IndexError;
use super::build::{Builder, Parts};
use super::filter::Filter;
use super::format::{self, ENTRY, HEAD, Layout};
use super::sink::{Sink, Source};
use crate::change::KeyHash;

/// Entries that are read at once when keys lie close together.
const AHEAD: usize = 2048;
/// Entries from one wanted key to the next up to which keys lie close together.
const CLOSE: usize = 256;

/// Which row of one data file has which key. Lives as long as the data file is in the table.
pub(in crate::table) struct KeyRun {
    layout: Layout,
    fan_out: Vec<u32>,
    checksums: Vec<u32>,
    filter: Filter,
    source: Source,
    tie: Option<(u32, u32)>,
}

impl KeyRun {
    /// A run of the keys of all rows, in any order.
    pub(super) fn of_rows(rows: Vec<(KeyHash, u32)>, sink: Sink) -> Result<Self, IndexError> {
        let layout = Layout::new(rows.len() as u64);
        let mut builder = Builder::new(layout, sink)?;
        builder.push(rows, layout.segments())?;
        Ok(Self::of_parts(layout, builder.finish()?))
    }

    pub(super) fn of_parts(layout: Layout, parts: Parts) -> Self {
        let Parts { fan_out, checksums, tie, filter, sink } = parts;
        Self { layout, fan_out, checksums, filter, source: sink.into_source(), tie }
    }

    /// A run that was stored; `None` when it is damaged.
    pub(super) fn load(source: Source) -> Result<Option<Self>, IndexError> {
        let length = source.length()?;
        if length < HEAD as u64 {
            return Ok(None);
        }
        let Some((layout, tail, checksum)) = Layout::of_head(&source.read(0, HEAD)?) else { return Ok(None) };
        if layout.fan_out_at().checked_add(tail) != Some(length) {
            return Ok(None);
        }
        let tail = source.read(layout.fan_out_at(), tail as usize)?;
        if xxh3_64(&tail) != checksum || tail.len() != layout.buckets_len() + Filter::length(layout) {
            return Ok(None);
        }
        let (mut numbers, filter) = tail.split_at(layout.buckets_len());
        let fan_out = (0..=layout.buckets()).map(|_| numbers.get_u32_le()).collect();
        let checksums = (0..layout.buckets()).map(|_| numbers.get_u32_le()).collect();
        let filter = Filter::take(layout, filter);
        Ok(Some(Self { layout, fan_out, checksums, filter, source, tie: None }))
    }

    /// For each key (ascending) that the data file may hold, calls `found` with its number and each row that has it.
    pub(super) fn look_up(&self, keys: &[(KeyHash, u32)], mut found: impl FnMut(u32, u32)) -> Result<(), IndexError> {
        // First everything that is in memory, then all reads: the cache fetches many buckets at a time, and how far ahead
        // a read pays depends on how many there will be.
        let may_have = keys.iter().filter(|(hash, _)| self.filter.may_have(*hash));
        let wanted: Vec<_> = may_have.map(|(hash, number)| (*hash, *number, self.bucket(*hash))).collect();
        let ahead = if lie_close(&wanted) { AHEAD } else { 0 };
        let mut window = Window { source: &self.source, first: 0, bytes: Vec::new() };
        for (hash, number, Bucket { from, to, checksum }) in wanted {
            if from == to {
                continue;
            }
            let entries = window.entries(from, to, (from + ahead).min(self.layout.rows as usize))?;
            if format::checksum(entries) != checksum {
                return Err(self.source.refuse());
            }
            for row in format::rows_of(entries, self.layout.fingerprint(hash)) {
                found(number, row);
            }
        }
        Ok(())
    }

    fn bucket(&self, hash: KeyHash) -> Bucket {
        let bucket = self.layout.bucket(hash);
        let (from, to) = (self.fan_out[bucket] as usize, self.fan_out[bucket + 1] as usize);
        Bucket { from, to, checksum: self.checksums[bucket] }
    }

    /// Two rows, in order, that have the same hash; not known of a run that was stored.
    pub(in crate::table) fn tie(&self) -> Option<(u32, u32)> {
        self.tie
    }

    /// Rows of the data file, deleted ones too.
    pub(in crate::table) fn rows(&self) -> u64 {
        self.layout.rows
    }

    /// Bytes on disk, or in memory where there is no disk.
    pub(in crate::table) fn stored_bytes(&self) -> u64 {
        self.layout.fan_out_at() + (self.layout.buckets_len() + Filter::length(self.layout)) as u64
    }

    /// Bytes in memory.
    pub(in crate::table) fn memory_bytes(&self) -> usize {
        self.source.memory() + self.layout.buckets_len() + Filter::length(self.layout)
    }

    /// The data file is in the table no more.
    pub(in crate::table) fn remove(&self) {
        self.source.remove();
    }
}

impl std::fmt::Debug for KeyRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRun").field("rows", &self.layout.rows).field("source", &self.source).finish_non_exhaustive()
    }
}

/// Where the entries of a bucket are.
struct Bucket {
    from: usize,
    to: usize,
    checksum: u32,
}

/// To read what lies between the wanted entries takes less time than to read each alone.
fn lie_close(wanted: &[(KeyHash, u32, Bucket)]) -> bool {
    let (Some((.., first)), Some((.., last))) = (wanted.first(), wanted.last()) else { return false };
    last.to - first.from < wanted.len() * CLOSE
}

/// Entries that were read last.
struct Window<'a> {
    source: &'a Source,
    first: usize,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The entries `from..to`; what has to be read for them is read up to `ahead`.
    fn entries(&mut self, from: usize, to: usize, ahead: usize) -> Result<&[u8], IndexError> {
        let source = self.source;
        if let Source::Memory(bytes) = source {
            return Ok(&bytes[HEAD + from * ENTRY..HEAD + to * ENTRY]);
        }
        if from < self.first || to > self.first + self.bytes.len() / ENTRY {
            self.bytes.resize((to.max(ahead) - from) * ENTRY, 0);
            source.read_at((HEAD + from * ENTRY) as u64, &mut self.bytes)?;
            self.first = from;
        }
        Ok(&self.bytes[(from - self.first) * ENTRY..(to - self.first) * ENTRY])
    }
}
