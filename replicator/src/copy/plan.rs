//! Which rows are copied next.

use std::collections::VecDeque;

use tributary_sources::postgres::{Range, RangeColumn, Session, SourceError};

/// Rows of a chunk, at first: read in about a second.
const CHUNK_ROWS: u64 = 250_000;
/// After so many chunks they become twice as large, so that the record of a large table stays small.
const CHUNKS_OF_A_SIZE: u64 = 64;
/// Rows of the first chunks where the rate is limited: how large rows are is not known yet.
const UNKNOWN_ROWS: u64 = 100;
/// Chunks of a limited rate become at most 2⁴ times as large: they take a second at first, and a quarter of a minute in the end.
const SLOWEST: u64 = 4;

/// Ranges that were not given out yet, ascending.
pub(super) struct Plan {
    column: Option<RangeColumn>,
    gaps: VecDeque<Range>,
    given: u64,
    read: Read,
}

/// What was read so far.
#[derive(Clone, Copy, Default)]
struct Read {
    rows: u64,
    bytes: u64,
}

impl Plan {
    /// `copied`: chunks that are done.
    pub(super) fn new(column: Option<RangeColumn>, gaps: Vec<Range>, copied: usize) -> Self {
        Self { column, gaps: gaps.into(), given: copied as u64, read: Read::default() }
    }

    /// A chunk had so many rows, for which so many bytes came.
    pub(super) fn read(&mut self, rows: u64, bytes: u64) {
        self.read = Read { rows: self.read.rows + rows, bytes: self.read.bytes + bytes };
    }

    /// The next rows as a range, and as a condition in SQL; `None` when all were given out. `per_second`: bytes that a worker
    /// may read in a second, if that is limited.
    pub(super) async fn next(
        &mut self,
        session: &Session,
        table: &str,
        per_second: Option<u64>,
    ) -> Result<Option<(Range, Option<String>)>, SourceError> {
        let Some(gap) = self.gaps.front() else { return Ok(None) };
        let Some(column) = &self.column else {
            return Ok(self.gaps.pop_front().map(|range| (range, None)));
        };
        let rows = chunk_rows(self.given, per_second.map(|bytes| self.read.rows_of(bytes)));
        let end = column.nth(session, table, gap, rows).await?;
        let range = Range { after: gap.after.clone(), up_to: end.clone().or_else(|| gap.up_to.clone()) };
        if end.is_none() || end == gap.up_to {
            self.gaps.pop_front();
        } else if let Some(gap) = self.gaps.front_mut() {
            gap.after = end;
        }
        self.given += 1;
        let condition = column.condition(&range);
        Ok(Some((range, condition)))
    }
}

impl Read {
    /// About how many rows have so many bytes.
    fn rows_of(self, bytes: u64) -> u64 {
        if self.rows == 0 {
            return UNKNOWN_ROWS;
        }
        let rows = u128::from(bytes) * u128::from(self.rows) / u128::from(self.bytes.max(1));
        u64::try_from(rows).unwrap_or(u64::MAX)
    }
}

/// Rows of the chunk after so many; `per_second`: those that are read in a second, if that is limited.
fn chunk_rows(given: u64, per_second: Option<u64>) -> u64 {
    let doubled = (given / CHUNKS_OF_A_SIZE).min(16);
    let rows = CHUNK_ROWS << doubled;
    per_second.map_or(rows, |limited| limited.saturating_mul(1 << doubled.min(SLOWEST)).clamp(1, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_has_few_chunks() {
        let mut rows = 0;
        let chunks = (0..).take_while(|given| {
            let before = rows;
            rows += chunk_rows(*given, None);
            before < 10_000_000_000
        });
        assert!(chunks.count() < 640);
        assert_eq!(chunk_rows(63, None), CHUNK_ROWS);
    }

    #[test]
    fn a_chunk_of_a_limited_rate_takes_a_second_and_after_many_of_them_a_quarter_of_a_minute() {
        let chunk = |given| chunk_rows(given, Some(1000));
        assert_eq!([chunk(0), chunk(63), chunk(64), chunk(256), chunk(1_000_000)], [1000, 1000, 2000, 16_000, 16_000]);
        assert_eq!(chunk_rows(0, Some(u64::MAX)), CHUNK_ROWS, "the rate is no limit");
        assert_eq!(chunk_rows(0, Some(0)), 1, "a row has more bytes than are read in a second");
    }

    #[test]
    fn how_large_rows_are_is_known_from_those_that_were_read() {
        let mut plan = Plan::new(None, Vec::new(), 0);
        assert_eq!(plan.read.rows_of(1 << 20), UNKNOWN_ROWS);
        plan.read(0, 21);
        assert_eq!(plan.read.rows_of(1 << 20), UNKNOWN_ROWS, "only the head of the stream came");
        plan.read(100, 9_979);
        assert_eq!(plan.read.rows_of(1_000), 10);
    }
}
