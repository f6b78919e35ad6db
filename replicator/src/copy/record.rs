//! What the Delta log says of a copy: of what it was made, and how far it is.

use serde::{Deserialize, Serialize};
use tributary_sources::postgres::{Catalogue, Membership, Range};

use super::CopyError;

/// What a table was copied from, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyRecord {
    /// Identifier of the server's data.
    pub system: u64,
    /// The server's timeline: a restore to a point in time has another one, and so has a server that was promoted. `None` of a copy
    /// that an earlier version made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    /// The slots of the standbys that the server waits for before it delivers changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited_for: Vec<String>,
    /// Stands for the time since when the table has been published.
    pub membership: u32,
    /// The transaction that last changed what the publication sends. `None` of a copy that an earlier version made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<u32>,
    /// The table as it was copied, or as its events have described it since.
    pub catalogue: Catalogue,
    /// The column by whose ranges it is copied; without one, all rows are one chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_column: Option<String>,
    /// What was copied, ascending; nothing any more once the stream has passed all chunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// Where the server's log was when the last chunk had been read; `None` while rows are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

/// Rows of a range, as of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chunk {
    /// Which rows.
    #[serde(flatten)]
    pub range: Range,
    /// What they contain, as `pg_current_snapshot()`.
    pub snapshot: String,
}

impl CopyRecord {
    /// Reads what [`CopyRecord::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Self, CopyError> {
        serde_json::from_str(text).map_err(CopyError::Record)
    }

    /// As the Delta log has it.
    pub fn to_text(&self) -> String {
        // All its maps have text as keys, so that this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// One more chunk was copied.
    pub(super) fn add(&mut self, chunk: Chunk) {
        let at = self.chunks.partition_point(|other| other.range.after < chunk.range.after);
        self.chunks.insert(at, chunk);
        self.chunks.dedup_by(|next, before| {
            let is_one = before.snapshot == next.snapshot && before.range.up_to == next.range.after;
            if is_one {
                before.range.up_to = next.range.up_to.take();
            }
            is_one
        });
    }

    /// Ranges that were not copied yet, ascending.
    pub(super) fn gaps(&self) -> Vec<Range> {
        let mut gaps = Vec::new();
        let mut after = None;
        for (number, chunk) in self.chunks.iter().enumerate() {
            if chunk.range.after != after {
                gaps.push(Range { after: after.take(), up_to: chunk.range.after.clone() });
            }
            if chunk.range.up_to.is_none() && number == self.chunks.len() - 1 {
                return gaps;
            }
            after.clone_from(&chunk.range.up_to);
        }
        gaps.push(Range { after, up_to: None });
        gaps
    }

    /// Whether the table has been published since, with all that is published now.
    pub(super) fn is_of(&self, now: Membership) -> bool {
        self.membership == now.since && self.publication.is_none_or(|publication| publication == now.publication)
    }

    /// All rows were copied.
    pub fn is_complete(&self) -> bool {
        self.ended_at.is_some()
    }

    /// The stream has passed all chunks as well.
    pub fn is_passed(&self) -> bool {
        self.is_complete() && self.chunks.is_empty()
    }

    /// The same, once the stream has passed all chunks.
    #[must_use]
    pub fn passed(&self) -> Self {
        Self { chunks: Vec::new(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use tributary_sources::postgres::KeyValue;

    use super::*;

    fn range(after: Option<i64>, up_to: Option<i64>) -> Range {
        Range { after: after.map(KeyValue::Integer), up_to: up_to.map(KeyValue::Integer) }
    }

    fn chunk(after: Option<i64>, up_to: Option<i64>, snapshot: &str) -> Chunk {
        Chunk { range: range(after, up_to), snapshot: snapshot.to_owned() }
    }

    fn record() -> CopyRecord {
        let catalogue = Catalogue { oid: 1, key: vec![1], ..Catalogue::default() };
        CopyRecord {
            system: 7,
            timeline: Some(1),
            waited_for: Vec::new(),
            membership: 3,
            publication: Some(5),
            catalogue,
            range_column: Some("id".to_owned()),
            chunks: Vec::new(),
            ended_at: None,
        }
    }

    #[test]
    fn what_was_not_copied_is_what_lies_between_the_chunks() {
        let mut record = record();
        assert_eq!(record.gaps(), [range(None, None)]);
        record.add(chunk(Some(20), Some(30), "2:2:"));
        assert_eq!(record.gaps(), [range(None, Some(20)), range(Some(30), None)]);
        record.add(chunk(None, Some(10), "1:1:"));
        assert_eq!(record.gaps(), [range(Some(10), Some(20)), range(Some(30), None)]);
        record.add(chunk(Some(30), None, "3:3:"));
        assert_eq!(record.gaps(), [range(Some(10), Some(20))]);
        record.add(chunk(Some(10), Some(20), "2:2:"));
        assert_eq!(record.gaps(), []);
    }

    #[test]
    fn neighbours_of_one_snapshot_are_one_chunk() {
        let mut record = record();
        for chunk in [chunk(Some(20), None, "5:5:"), chunk(None, Some(10), "4:4:"), chunk(Some(10), Some(20), "5:5:")] {
            record.add(chunk);
        }
        assert_eq!(record.chunks, [chunk(None, Some(10), "4:4:"), chunk(Some(10), None, "5:5:")]);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut record = record();
        record.add(chunk(None, Some(-5), "4:4:"));
        record.add(chunk(Some(-5), None, "4:9:6"));
        record.ended_at = Some(u64::MAX);
        assert_eq!(CopyRecord::parse(&record.to_text()).unwrap(), record);
        assert!(CopyRecord::parse("{}").is_err());
        assert!(!record.is_passed() && record.passed().is_passed());
    }
}
