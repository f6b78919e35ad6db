//! Which rows are copied next.

use std::collections::VecDeque;

use tributary_sources::postgres::{Range, RangeColumn, Session, SourceError};

/// Rows of a chunk, at first: read in about a second.
const CHUNK_ROWS: u64 = 250_000;
/// After so many chunks they become twice as large, so that the record of a large table stays small.
const CHUNKS_OF_A_SIZE: u64 = 64;

/// Ranges that were not given out yet, ascending.
pub(super) struct Plan {
    column: Option<RangeColumn>,
    gaps: VecDeque<Range>,
    given: u64,
}

impl Plan {
    /// `copied`: chunks that are done.
    pub(super) fn new(column: Option<RangeColumn>, gaps: Vec<Range>, copied: usize) -> Self {
        Self { column, gaps: gaps.into(), given: copied as u64 }
    }

    /// The next rows as a range, and as a condition in SQL; `None` when all were given out.
    pub(super) async fn next(
        &mut self,
        session: &Session,
        table: &str,
    ) -> Result<Option<(Range, Option<String>)>, SourceError> {
        let Some(gap) = self.gaps.front() else { return Ok(None) };
        let Some(column) = &self.column else {
            return Ok(self.gaps.pop_front().map(|range| (range, None)));
        };
        let end = column.nth(session, table, gap, chunk_rows(self.given)).await?;
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

/// Rows of the chunk after so many.
fn chunk_rows(given: u64) -> u64 {
    CHUNK_ROWS << (given / CHUNKS_OF_A_SIZE).min(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_has_few_chunks() {
        let mut rows = 0;
        let chunks = (0..).take_while(|given| {
            let before = rows;
            rows += chunk_rows(*given);
            before < 10_000_000_000
        });
        assert!(chunks.count() < 640);
        assert_eq!(chunk_rows(63), CHUNK_ROWS);
    }
}
