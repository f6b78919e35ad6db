//! Looks at the source now and then: whether the table is still what was copied, and how far the connector has delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tributary_sources::postgres::{self, Catalogue, Difference, Remedy, Session, SourceError, differences};

use super::begin::WENT_BACK;
use super::{CopyError, CopyRecord, CopySource};
use crate::consume::Consumer;
use crate::pipeline::{Anew, PipelineError};
use crate::report::TableHandle;

/// How often the table is compared with what was copied.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often it is looked whether the connector has delivered all that a copy contains.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);

/// What a look at the source found.
#[derive(Debug)]
pub enum Found {
    /// The connector has delivered everything up to where the log was when the copy ended: the stream has passed the copy when
    /// the topic was applied up to these offsets, by partition.
    Delivered(BTreeMap<i32, i64>),
    /// Table or server are described in another way, and the rows are what they were.
    Described(Box<Description>),
}

/// What a copy is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    timeline: u32,
    waited_for: Vec<String>,
    publication: u32,
    catalogue: Catalogue,
}

impl CopyRecord {
    /// The same rows, as the source describes them now.
    pub fn describe(&mut self, description: Description) {
        let Description { timeline, waited_for, publication, catalogue } = description;
        (self.timeline, self.waited_for, self.catalogue) = (Some(timeline), waited_for, catalogue);
        self.publication = Some(publication);
    }

    fn is_described_by(&self, Description { timeline, waited_for, publication, catalogue }: &Description) -> bool {
        self.timeline == Some(*timeline)
            && self.publication == Some(*publication)
            && (&self.waited_for, &self.catalogue) == (waited_for, catalogue)
    }
}

/// Looks until the table is not what was copied; then that is the answer.
pub async fn watch(
    source: CopySource,
    mut record: CopyRecord,
    (consumer, topic): (Consumer, String),
    report: TableHandle,
    found: UnboundedSender<Found>,
) -> PipelineError {
    let mut awaits_delivery = !record.is_passed();
    loop {
        match look(&source, &record, &report, awaits_delivery).await {
            Ok(look) => {
                report.source_unseen(None);
                report.source_at(look.lsn);
                if let Some(description) = look.described {
                    record.describe(description.clone());
                    let _ = found.send(Found::Described(Box::new(description)));
                }
                // Asked after the connector has said so: what it delivered is before these ends.
                if look.delivered
                    && let Ok(ends) = consumer.find_ends(&topic).await
                {
                    awaits_delivery = false;
                    let _ = found.send(Found::Delivered(ends));
                }
            }
            Err(Ended::Unseen(error)) => report.source_unseen(Some(&error.finding().to_string())),
            Err(Ended::Differs(why)) => return why,
        }
        tokio::time::sleep(if awaits_delivery { DELIVERY_INTERVAL } else { INTERVAL }).await;
    }
}

struct Look {
    described: Option<Description>,
    /// How far the log is.
    lsn: u64,
    delivered: bool,
}

enum Ended {
    /// The source could not be asked.
    Unseen(SourceError),
    /// The table is not what was copied.
    Differs(PipelineError),
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self::Unseen(error)
    }
}

/// Compares the table with what was copied, once. A source that cannot be asked says nothing.
pub async fn compare(source: &CopySource, record: &CopyRecord, report: &TableHandle) -> Result<(), PipelineError> {
    match look(source, record, report, false).await {
        Err(Ended::Differs(why)) => Err(why),
        Ok(_) | Err(Ended::Unseen(_)) => Ok(()),
    }
}

/// A look, in the session of all looks; one that fails is not used again.
async fn look(
    source: &CopySource,
    record: &CopyRecord,
    report: &TableHandle,
    awaits_delivery: bool,
) -> Result<Look, Ended> {
    let mut looks = source.looks.lock().await;
    let session = match looks.take() {
        Some(session) if !session.is_closed() => session,
        _ => source.connect().await?,
    };
    // Before the server is asked how far it is.
    let read = report.delivered();
    let seen = look_in(&session, source, record, awaits_delivery).await;
    let went_back = seen.as_ref().is_ok_and(|look| read.is_some_and(|read| read > look.lsn));
    let seen = if went_back { anew(WENT_BACK) } else { seen };
    if !matches!(seen, Err(Ended::Unseen(_))) {
        *looks = Some(session);
    }
    seen
}

async fn look_in(
    session: &Session,
    source: &CopySource,
    record: &CopyRecord,
    awaits_delivery: bool,
) -> Result<Look, Ended> {
    let LookAtServer { timeline, waited_for, publication, lsn, delivered } =
        look_at_server(session, source, record).await?;
    let (schema, table) = source.names();
    let Some(catalogue) = postgres::catalogue(session, schema, table).await? else {
        return anew("the source has no such table any more");
    };
    if let Some(Difference { remedy, what }) = worst(differences(&record.catalogue, &catalogue)) {
        return Err(Ended::Differs(match remedy {
            Remedy::Stop => CopyError::Refused { what }.into(),
            Remedy::CopyAnew | Remedy::Fill { .. } => {
                PipelineError::CopyAnew(Anew { why: format!("the source table {what}"), follows: true })
            }
        }));
    }
    let catalogue = catalogue.remembering(&record.catalogue);
    let delivered = awaits_delivery && record.ended_at.is_some_and(|ended_at| delivered >= ended_at);
    let description = Description { timeline, waited_for, publication, catalogue };
    let described = (!record.is_described_by(&description)).then_some(description);
    Ok(Look { described, lsn, delivered })
}

struct LookAtServer {
    timeline: u32,
    waited_for: Vec<String>,
    publication: u32,
    /// How far the log is.
    lsn: u64,
    /// How far the connector is.
    delivered: u64,
}

/// Whether the stream still leads on from the copy, and where the server is.
async fn look_at_server(session: &Session, source: &CopySource, record: &CopyRecord) -> Result<LookAtServer, Ended> {
    let slot = &source.settings.slot;
    let position = source.position(session).await?;
    if position.system != record.system {
        return anew("the database is on another server, or was restored from a dump");
    }
    let Some(delivered) = postgres::delivered(session, slot).await? else {
        return anew("the replication slot is gone, and with it changes that were not read");
    };
    let is_other = record.timeline.is_some_and(|timeline| timeline != position.timeline);
    let failover = postgres::failover(session).await?;
    // Chunks have rows that no standby was waited for with; only what the stream delivered since can be relied on.
    let outlives = record.is_passed() && failover.had_all(&record.waited_for);
    if is_other && !(outlives && postgres::is_synced(session, slot).await?) {
        return anew(
            "the database was restored to a point in time, or a standby took its place that did not keep the replication slot \
             (sync_replication_slots), or was not waited for (synchronized_standby_slots)",
        );
    }
    match source.membership(session).await? {
        None => anew(
            "the publication does not have the table any more, or not with all its operations, so that changes of it are not sent",
        ),
        Some(membership) if !record.is_of(membership) => anew(
            "the table was taken out of the publication and put in again, or the publication was altered, and changes in between \
             were not sent",
        ),
        Some(membership) => Ok(LookAtServer {
            publication: membership.publication,
            timeline: position.timeline,
            waited_for: failover.waited_for,
            lsn: position.lsn.into(),
            delivered,
        }),
    }
}

fn anew<T>(why: &str) -> Result<T, Ended> {
    Err(Ended::Differs(PipelineError::CopyAnew(Anew::unfollowed(why))))
}

fn worst(mut differences: Vec<Difference>) -> Option<Difference> {
    differences.sort_by_key(|difference| difference.remedy != Remedy::Stop);
    differences.into_iter().next()
}
