//! What landed is taken into memory: our commits, and those of others as far as they leave the rows as they were.

use super::change::Commit;
use super::commit::Task;
use super::log::Entry;
use super::state::Known;
use super::{KeyedTable, TableError, progress};
use crate::change::{PartitionProgress, Progress};

impl KeyedTable {
    /// Brings memory to the version that `entry` made.
    pub(super) async fn adopt(&mut self, entry: Entry, known: Known) -> Result<(), TableError> {
        let adoption = self.state.resolve(&self.context, entry, known).await?;
        self.state.apply(&self.context, adoption);
        Ok(())
    }

    /// The same for a commit of ours that landed. Nothing of it is read, so that it cannot fail; if it did, only opening
    /// the table again would help.
    pub(super) async fn adopt_own(&mut self, commit: Commit) -> Result<(), TableError> {
        let (entry, known) = commit.into_known();
        let adopted = self.adopt(entry, known).await;
        adopted.map_err(|error| TableError::Internal(format!("a commit landed and could not be taken in: {error}")))
    }

    /// Takes in a commit of somebody else. `true`: it was ours after all, because it moved the progress, or the copy, to where
    /// `task` does. A copy alone moves rows without the progress: who else does that copies as well.
    pub(super) async fn take_in(&mut self, entry: Entry, task: &Task<'_>) -> Result<bool, TableError> {
        let theirs = progress::of_txns(&self.context.spec.topic, &entry.txns);
        let moves_copy = task.copy.is_some() && entry.copy() == task.copy;
        let is_target = theirs.as_ref() == Some(task.progress) && (*task.progress != self.state.progress || moves_copy);
        if let Some(theirs) = theirs.filter(|_| !is_target) {
            self.refuse_second_writer(&theirs)?;
            if entry.changes_data() {
                return Err(TableError::SecondCopy { uri: self.context.uri.to_string(), version: entry.version });
            }
        } else if !is_target && (entry.changes_data() || !self.state.keeps_rows(&self.context, &entry).await?) {
            return Err(self.context.foreign_change(&entry));
        }
        tracing::info!(table = %self.context.uri, version = entry.version, "adopted: {}", entry.who());
        self.adopt(entry, Known::default()).await?;
        Ok(is_target)
    }

    /// Whoever folded the events knew less than the log does.
    pub(super) fn refuse_step_back(&self, target: &PartitionProgress) -> Result<(), TableError> {
        let is_behind = |(partition, ours): (&i32, &Progress)| {
            target.get(partition).is_none_or(|target| target.next_offset < ours.next_offset)
        };
        if self.state.progress.iter().any(is_behind) { self.refuse_second_writer_of(target) } else { Ok(()) }
    }

    /// The log has another progress than `ours`.
    pub(super) fn refuse_second_writer_of(&self, ours: &PartitionProgress) -> Result<(), TableError> {
        self.refuse_other_progress(&self.state.progress, ours)
    }

    /// Somebody else's commit has another progress than we.
    fn refuse_second_writer(&self, theirs: &PartitionProgress) -> Result<(), TableError> {
        self.refuse_other_progress(theirs, &self.state.progress)
    }

    fn refuse_other_progress(&self, theirs: &PartitionProgress, ours: &PartitionProgress) -> Result<(), TableError> {
        for (partition, theirs) in theirs {
            let ours = ours.get(partition).map_or(0, |ours| ours.next_offset);
            if theirs.next_offset != ours {
                let (uri, theirs) = (self.context.uri.to_string(), theirs.next_offset);
                return Err(TableError::SecondWriter { uri, partition: *partition, theirs, ours });
            }
        }
        Ok(())
    }
}
