//! A table copied anew: a shadow is copied and followed until it is complete, and then takes the place of the table's rows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;
use tributary_crds::OnSourceChange;

use super::backoff::retry;
use super::writer::Followed;
use super::{Anew, Ended, Pipeline, PipelineError, REFIT_INTERVAL};
use crate::change::{PartitionProgress, Progress};
use crate::consume::ConsumeError;
use crate::copy::{self, CopyRecord, CopySource};
use crate::decode::{Decoder, RegistryError};
use crate::report::{TableHandle, describe};
use crate::table::{ErrorKind, KeyedTable, Shadow, Successor, TableError, applied};

/// What did not fit, and when the rows were copied for it.
pub(super) type Refitted = Option<(String, Instant)>;

/// How often it is told how far the shadow is.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Whether an error is one that a copy of the source's rows cures; else it is given back. `refitted`: what did not fit when the
    /// columns of the table were last brought to those of its events so, and when that was.
    pub(super) fn anew(&self, error: PipelineError, refitted: &mut Refitted) -> Result<Anew, PipelineError> {
        match (error, self.on_source_change) {
            (PipelineError::CopyAnew(anew), OnSourceChange::Resync) => Ok(anew),
            (PipelineError::CopyAnew(Anew { why, .. }), OnSourceChange::Stop) => {
                Err(PipelineError::SourceChanged { table: self.report.name(), why })
            }
            (error, OnSourceChange::Resync) if self.source.is_some() => match cured(&error) {
                Some((why, true)) if refitted.as_ref().is_some_and(|last| is_same(last, &why)) => Err(error),
                Some((why, refits)) => {
                    if refits {
                        *refitted = Some((why.clone(), Instant::now()));
                    }
                    Ok(Anew::unfollowed(why))
                }
                None => Err(error),
            },
            (error, _) => Err(error),
        }
    }

    /// Says in the log that the rows are copied anew; false when told to stop before.
    pub(super) async fn begin_shadow(&self, anew: &Anew, wish: Option<&str>) -> Result<bool, PipelineError> {
        let Self { spec, report, stop, .. } = self;
        report.copied_anew(&anew.why);
        let begun = retry(report, stop, || Shadow::begin(spec, &anew.why, anew.follows, wish)).await?;
        Ok(begun.is_some())
    }

    /// Makes the shadow, from wherever an earlier process left it, and swaps it with the table's rows. One that is damaged is made
    /// once more in another place.
    pub(super) async fn renew(
        &self,
        shadow: &Shadow,
        source: &CopySource,
        decoder: &impl Fn() -> Result<Decoder, RegistryError>,
    ) -> Result<Ended, PipelineError> {
        let error = match Box::pin(self.renew_in(shadow, source, decoder)).await {
            Err(error) if is_damage(&error) => error,
            ended => return ended,
        };
        self.report.copied_anew(&describe(&error));
        match retry(&self.report, &self.stop, || shadow.discard(&self.spec)).await? {
            Some(Some(next)) => Box::pin(self.renew_in(&next, source, decoder)).await,
            Some(None) => Ok(Ended::Again),
            None => Ok(Ended::Stopped),
        }
    }

    /// Makes the shadow in the place that it has.
    async fn renew_in(
        &self,
        shadow: &Shadow,
        source: &CopySource,
        decoder: &impl Fn() -> Result<Decoder, RegistryError>,
    ) -> Result<Ended, PipelineError> {
        let report = self.report.of_shadow();
        let own = Self {
            spec: shadow.spec(&self.spec),
            report: report.clone(),
            // Nobody reads it yet, so that it may be copied again without being asked.
            on_source_change: OnSourceChange::Resync,
            ..self.clone()
        };
        let renewed = async {
            let (mut anew, mut refitted) = (false, None);
            loop {
                match Box::pin(own.make(self, (shadow, source, anew), decoder)).await {
                    Ok(Some(ended)) => return Ok(ended),
                    // The table has moved on: so does the shadow.
                    Ok(None) => anew = false,
                    Err(error) => {
                        report.copied_anew(&own.anew(error, &mut refitted)?.why);
                        anew = true;
                    }
                }
            }
        };
        tokio::select! {
            ended = renewed => ended,
            never = self.tell(shadow, &report) => match never {},
        }
    }

    /// Copies the shadow, or what is missing of it, and swaps it with the table's rows; `None` when the table has moved on meanwhile.
    async fn make(
        &self,
        table: &Self,
        (shadow, source, anew): (&Shadow, &CopySource, bool),
        decoder: &impl Fn() -> Result<Decoder, RegistryError>,
    ) -> Result<Option<Ended>, PipelineError> {
        match self.copy_shadow(table, shadow, (source, anew), decoder).await? {
            Some(copied) => Box::pin(self.take_over(table, (shadow, source), copied, decoder()?)).await,
            None => Ok(Some(Ended::Stopped)),
        }
    }

    async fn tell(&self, shadow: &Shadow, report: &TableHandle) -> Infallible {
        loop {
            self.report.renewing(&shadow.why, &report.state());
            tokio::time::sleep(TELL_INTERVAL).await;
        }
    }

    /// The shadow with all rows of the source; the table's are followed meanwhile if they can be. `None` when told to stop.
    async fn copy_shadow(
        &self,
        table: &Self,
        shadow: &Shadow,
        (source, anew): (&CopySource, bool),
        decoder: &impl Fn() -> Result<Decoder, RegistryError>,
    ) -> Result<Option<KeyedTable>, PipelineError> {
        let Some(opened) = self.open_as_it_is().await? else { return Ok(None) };
        let copying = self.copying(source);
        let copy = copy::ensure(&copying, opened, anew);
        if !shadow.follows {
            return Box::pin(copy).await;
        }
        tokio::select! {
            copied = Box::pin(copy) => copied,
            never = table.follow_meanwhile(decoder) => match never {},
        }
    }

    /// Follows the topic with the old rows for as long as they can. What keeps them from it is no loss: they are soon gone.
    async fn follow_meanwhile(&self, decoder: &impl Fn() -> Result<Decoder, RegistryError>) -> Infallible {
        if let Err(error) = Box::pin(self.follow_old(decoder)).await {
            self.report
                .noted(&format!("the old rows are not followed while they are copied anew: {}", describe(&error)));
        }
        std::future::pending().await
    }

    async fn follow_old(&self, decoder: &impl Fn() -> Result<Decoder, RegistryError>) -> Result<(), PipelineError> {
        let Some(Some(table)) = self.open_as_it_is().await? else { return Ok(()) };
        let record = table.copy_record().map(CopyRecord::parse).transpose()?;
        let (writer, steps) = self.writer(Some(table), decoder()?);
        match record {
            Some(record) if record.is_complete() => {
                let (_, nothing_found) = tokio::sync::mpsc::unbounded_channel();
                writer.of_copy(record, nothing_found)?.run(steps).await?;
            }
            // A first copy that somebody wants to be made anew before it is complete.
            Some(_) => {}
            None => drop(writer.run(steps).await?),
        }
        Ok(())
    }

    /// Follows the topic until the shadow is complete and not behind what the table was, and swaps the two then; `None` when the table
    /// has moved on meanwhile.
    async fn take_over(
        &self,
        table: &Self,
        (shadow, source): (&Shadow, &CopySource),
        copied: KeyedTable,
        decoder: Decoder,
    ) -> Result<Option<Ended>, PipelineError> {
        let Self { report, stop, .. } = self;
        let spec = &table.spec;
        report.follows_copy(false);
        let Some(known) = retry(report, stop, || applied(spec)).await? else { return Ok(Some(Ended::Stopped)) };
        let Some(ends) = stop.run_until_cancelled(self.copying(source).ends()).await else {
            return Ok(Some(Ended::Stopped));
        };
        let own = Self { until: Some(reachable(&known, &ends?)), ..self.clone() };
        let followed = Box::pin(own.follow(Some(copied), decoder)).await?;
        let Followed { table: Some(copied), applied, is_complete_shadow: true } = followed else {
            return Ok(Some(Ended::Stopped));
        };
        let record = copied.copy_record().map(CopyRecord::parse).transpose()?;
        let record = record.map(|record| record.passed().to_text());
        let successor = Successor { shadow: &copied, applied: &applied, record: record.as_deref() };
        let Some(swapped) = retry(report, stop, || shadow.swap(spec, successor, &known)).await? else {
            return Ok(Some(Ended::Stopped));
        };
        if !swapped {
            return Ok(None);
        }
        copied.leave().await;
        table.report.renewed();
        Ok(Some(Ended::Again))
    }
}

/// The same was copied for a short while ago: once more would not help.
fn is_same((last, at): &(String, Instant), why: &str) -> bool {
    last == why && at.elapsed() < REFIT_INTERVAL
}

/// What is not in a shadow any more, or was changed in it by somebody: nothing of it is worth keeping.
fn is_damage(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Table(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Foreign))
}

/// What a copy of the source's rows cures, in words, and whether it is that events have other columns than the table.
fn cured(error: &PipelineError) -> Option<(String, bool)> {
    Some(match error {
        PipelineError::Table(TableError::ColumnType { column, table, source_type }) => {
            (format!("column {column} is {table} in the Delta table and {source_type} in its events"), true)
        }
        PipelineError::Table(TableError::ColumnCase { column, table }) => {
            (format!("column {table} of the Delta table is {column} in its events"), true)
        }
        PipelineError::Table(TableError::KeyChanged { table, source_key }) => {
            (format!("the key is ({table}) in the Delta table and ({source_key}) in its events"), true)
        }
        PipelineError::Consume(ConsumeError::Recreated { topic, .. } | ConsumeError::Replaced { topic, .. }) => {
            (format!("the topic {topic} was deleted and created again, or this is another Kafka cluster"), false)
        }
        PipelineError::Consume(ConsumeError::TopicDeleted { topic }) => {
            (format!("the topic {topic} was deleted while it was read"), false)
        }
        PipelineError::Consume(ConsumeError::Overtaken { topic, resume, low, .. }) => (
            format!("Kafka has deleted offsets {resume} to {low} of the topic {topic} before they were applied"),
            false,
        ),
        _ => return None,
    })
}

/// The offsets to which a table was applied, as far as its topic has them.
fn reachable(applied: &PartitionProgress, ends: &PartitionProgress) -> BTreeMap<i32, i64> {
    let offset = |(partition, progress): (&i32, &Progress)| {
        Some((*partition, progress.next_offset.min(ends.get(partition)?.next_offset)))
    };
    applied.iter().filter_map(offset).collect()
}
