//! What the writer does about the copy that its table began with: leaves out what it contains, until the stream has passed it.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::PipelineError;
use super::writer::Writer;
use crate::change::PartitionProgress;
use crate::copy::{CopyRecord, Found, Verdicts};

/// The copy that a table began with.
pub(super) struct FollowedCopy {
    record: CopyRecord,
    /// What is seen of the source meanwhile.
    found: mpsc::UnboundedReceiver<Found>,
    /// Where the topic was when the connector had delivered all that the copy contains.
    ends: Option<BTreeMap<i32, i64>>,
}

impl FollowedCopy {
    /// The next thing that is seen of the source.
    pub(super) async fn found(&mut self) -> Option<Found> {
        self.found.recv().await
    }

    pub(super) fn is_passed(&self) -> bool {
        self.record.is_passed()
    }

    /// Everything that some chunk contains was applied, or left out.
    fn is_passed_by(&self, applied: &PartitionProgress) -> bool {
        let Some(ended_at) = self.record.ended_at else { return false };
        let by_position = applied.values().filter_map(|progress| progress.position);
        let by_offset = |ends: &BTreeMap<i32, i64>| {
            ends.iter().all(|(partition, end)| applied.get(partition).map_or(0, |applied| applied.next_offset) >= *end)
        };
        by_position.map(|position| position.commit_lsn).max().is_some_and(|commit| commit >= ended_at)
            || self.ends.as_ref().is_some_and(by_offset)
    }
}

impl Writer {
    /// The same for a table that began with a copy.
    pub(super) fn of_copy(
        mut self,
        record: CopyRecord,
        found: mpsc::UnboundedReceiver<Found>,
    ) -> Result<Self, PipelineError> {
        let verdicts = Verdicts::of(&record).map_err(|error| PipelineError::Internal(error.to_string()))?;
        self.buffer.leave_out(verdicts);
        self.copy = Some(FollowedCopy { record, found, ends: None });
        Ok(self)
    }

    /// Takes in what was seen of the source.
    pub(super) fn found(&mut self, found: Found) -> Result<(), PipelineError> {
        let Some(copy) = &mut self.copy else { return Ok(()) };
        match found {
            Found::Delivered(ends) => copy.ends = Some(ends),
            Found::Described(description) => copy.record.describe(*description),
        }
        if let Some(table) = &mut self.table {
            table.record_copy(copy.record.to_text());
        }
        self.pass_copy()
    }

    /// Forgets the chunks of the copy when the stream has passed all of them.
    pub(super) fn pass_copy(&mut self) -> Result<(), PipelineError> {
        let seen = self.seen();
        let (Some(copy), Some(table)) = (&mut self.copy, &mut self.table) else { return Ok(()) };
        if copy.record.is_passed() || !copy.is_passed_by(&seen) {
            return Ok(());
        }
        copy.record = copy.record.passed();
        table.record_copy(copy.record.to_text());
        let verdicts = Verdicts::of(&copy.record).map_err(|error| PipelineError::Internal(error.to_string()))?;
        self.buffer.leave_out(verdicts);
        self.pipeline.report.follows_copy(true);
        Ok(())
    }
}
