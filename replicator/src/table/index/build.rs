//! Writes a key run, segment by segment, from hashes that come in any order.

use bytes::BufMut;
use xxhash_rust::xxh3::Xxh3;

use super::IndexError;
use super::filter::Filter;
use super::format::{self, Layout};
use super::sink::Sink;
use crate::change::KeyHash;

/// A run that is being written.
pub(super) struct Builder {
    layout: Layout,
    sink: Sink,
    /// First entry of each bucket that was written.
    fan_out: Vec<u32>,
    checksums: Vec<u32>,
    filter: Filter,
    segments: usize,
    written: u32,
    tie: Option<(u32, u32)>,
}

/// What a finished run has in memory beside its entries.
pub(super) struct Parts {
    pub(super) fan_out: Vec<u32>,
    pub(super) checksums: Vec<u32>,
    /// Two rows, in order, that have the same hash.
    pub(super) tie: Option<(u32, u32)>,
    pub(super) filter: Filter,
    pub(super) sink: Sink,
}

impl Builder {
    pub(super) fn new(layout: Layout, mut sink: Sink) -> Result<Self, IndexError> {
        sink.write(&[0; format::HEAD])?;
        Ok(Self {
            layout,
            sink,
            fan_out: Vec::with_capacity(layout.buckets() + 1),
            checksums: Vec::with_capacity(layout.buckets()),
            filter: Filter::new(layout),
            segments: 0,
            written: 0,
            tie: None,
        })
    }

    /// Writes all entries of the next `segments` segments; `entries` are those and no others.
    pub(super) fn push(&mut self, mut entries: Vec<(KeyHash, u32)>, segments: usize) -> Result<(), IndexError> {
        entries.sort_unstable();
        let first = self.segments;
        let mut rest = entries.as_slice();
        for segment in first..first + segments {
            let length = rest.partition_point(|(hash, _)| self.layout.segment(*hash) <= segment);
            let (own, after) = rest.split_at(length);
            self.segment(own, segment)?;
            rest = after;
        }
        self.segments += segments;
        Ok(())
    }

    fn segment(&mut self, entries: &[(KeyHash, u32)], segment: usize) -> Result<(), IndexError> {
        let layout = self.layout;
        let per_segment = layout.buckets() / layout.segments();
        let mut bytes = Vec::with_capacity(entries.len() * format::ENTRY);
        let mut next = 0;
        for bucket in segment * per_segment..(segment + 1) * per_segment {
            self.fan_out.push(self.written + next as u32);
            let first = bytes.len();
            while entries.get(next).is_some_and(|(hash, _)| layout.bucket(*hash) == bucket) {
                let (hash, row) = entries[next];
                format::put_entry(&mut bytes, layout, hash, row);
                next += 1;
            }
            self.checksums.push(format::checksum(&bytes[first..]));
        }
        let tie = entries.windows(2).find(|pair| pair[0].0 == pair[1].0);
        self.tie = self.tie.or(tie.map(|pair| (pair[0].1, pair[1].1)));
        self.written += entries.len() as u32;
        for (hash, _) in entries {
            self.filter.insert(*hash);
        }
        self.sink.write(&bytes)
    }

    /// Writes what stands after the entries, and the head.
    pub(super) fn finish(mut self) -> Result<Parts, IndexError> {
        self.fan_out.push(self.written);
        let mut tail = Vec::with_capacity(self.layout.buckets_len() + Filter::length(self.layout));
        for number in self.fan_out.iter().chain(&self.checksums) {
            tail.put_u32_le(*number);
        }
        self.filter.put(&mut tail);
        let mut checksum = Xxh3::new();
        checksum.update(&tail);
        self.sink.write(&tail)?;
        self.sink.finish(&self.layout.head(tail.len() as u64, checksum.digest()))?;
        let Self { sink, fan_out, checksums, filter, tie, .. } = self;
        Ok(Parts { fan_out, checksums, tie, filter, sink })
    }
}
