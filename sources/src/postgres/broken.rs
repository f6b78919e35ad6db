//! A stream that cannot go on from where its reader was: changes between there and what the server can still send are lost, and
//! every table has to be copied anew.

use std::fmt;
use std::str::FromStr;

use tributary_crds::{CdcReplication, OnSourceChange, TablePhase};

use super::facts::Facts;
use super::finding::Finding;
use super::names::{is_managed, publication, slot};

/// Reason of a condition: the database is not the one that was read.
const SOURCE_REPLACED: &str = "SourceReplaced";
/// Reason of a condition: changes are missing on the server that was read.
const SLOT_LOST: &str = "SlotLost";

/// Reason of a condition: values come other than they are.
pub(super) const HARMFUL_SETTINGS: &str = "HarmfulSettings";

/// Whether a condition has this reason because changes are missing or wrong, and no table knows that of itself.
pub fn misses_changes(reason: &str) -> bool {
    [SOURCE_REPLACED, SLOT_LOST, HARMFUL_SETTINGS].contains(&reason)
}

/// The server whose log a connector's positions are places in, and what its stream depends on there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The server's system identifier.
    pub system: u64,
    /// Its timeline.
    pub timeline: u32,
    /// The slots of the standbys on which it goes on after a failover: see [`Failover::waited_for`](super::Failover).
    pub waited_for: Vec<String>,
    /// Object id of the publication that it is sent by.
    pub publication: Option<u32>,
}

impl Stream {
    /// The one that these facts were found on; `None` as long as it has no slot.
    pub fn of(facts: &Facts) -> Option<Self> {
        facts.slot.as_ref()?;
        let waited_for = facts.failover.waited_for.clone();
        let publication = facts.publication.as_ref().map(|publication| publication.oid);
        facts.position.map(|position| Self {
            system: position.system,
            timeline: position.timeline,
            waited_for,
            publication,
        })
    }
}

impl fmt::Display for Stream {
    /// `7432/1/a,b/16405`: system, timeline, standbys, publication. What there is none of is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/", self.system, self.timeline, self.waited_for.join(","))?;
        self.publication.map_or(Ok(()), |publication| write!(f, "{publication}"))
    }
}

impl FromStr for Stream {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let (system, timeline) = (parts.next().unwrap_or_default(), parts.next().ok_or(())?);
        // Earlier versions noted no more.
        let (standbys, publication) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Ok(Self {
            system: system.parse().map_err(drop)?,
            timeline: timeline.parse().map_err(drop)?,
            waited_for: standbys.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            publication: publication.parse().ok(),
        })
    }
}

/// Why a stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Another server, or a dump that was restored into one.
    OtherServer,
    /// The same server on another timeline, which may not have all that was delivered.
    OtherTimeline,
    /// The same server and timeline, and its log ends before what was read of it: its disk is an older one.
    WentBack,
    /// Our publication was dropped and made anew: the server cannot send what was changed in between.
    PublicationMadeAnew,
    /// There was a slot, and there is none.
    SlotGone,
    /// The server has removed log that the slot needed.
    SlotInvalid,
    /// The slot begins behind what the connector has read: it was made anew.
    SlotMadeAnew,
}

/// Whether the stream that the connector was reading is broken. `stream`: the one that it was seen reading; `refused`: it says that
/// the server does not have any more what comes next.
pub fn broken(facts: &Facts, stream: Option<&Stream>, refused: bool) -> Option<Break> {
    let invalid = facts.slot.as_ref().is_some_and(|slot| slot.wal_status == "lost");
    let is_synced = facts.slot.as_ref().is_some_and(|slot| slot.synced);
    let outlives = |stream: &Stream| is_synced && facts.failover.had_all(&stream.waited_for);
    match (stream, facts.position) {
        (Some(stream), Some(now)) if stream.system != now.system => Some(Break::OtherServer),
        (Some(stream), Some(now)) if stream.timeline != now.timeline && !outlives(stream) => Some(Break::OtherTimeline),
        (Some(_), Some(_)) if facts.slot.is_none() => Some(Break::SlotGone),
        (_, Some(_)) if invalid => Some(Break::SlotInvalid),
        (_, Some(_)) if refused => Some(Break::SlotMadeAnew),
        (Some(stream), Some(_)) if is_another(stream.publication, facts) => Some(Break::PublicationMadeAnew),
        _ => None,
    }
}

/// Whether a publication of ours is there that was made since. Of one that others keep they may know that nothing was changed.
fn is_another(noted: Option<u32>, facts: &Facts) -> bool {
    let ours = facts.publication.as_ref().filter(|publication| publication.claimed_by.is_some());
    ours.is_some_and(|publication| noted.is_some_and(|noted| noted != publication.oid))
}

impl Break {
    /// What is the case, and what happens or has to be done.
    pub fn finding(self, resource: &CdcReplication) -> Finding {
        let slot = slot(resource);
        let (reason, message) = match self {
            Self::OtherServer => (
                SOURCE_REPLACED,
                format!(
                    "The database is on another server than the one that the connector read, or was restored from a dump. A slot \
                     {slot} of the former server stays there until it is dropped"
                ),
            ),
            Self::OtherTimeline => (
                SOURCE_REPLACED,
                format!(
                    "The database was restored to a point in time, or a standby took its place that did not keep the replication slot \
                     {slot} (sync_replication_slots), or was not waited for (synchronized_standby_slots)"
                ),
            ),
            Self::WentBack => (
                SOURCE_REPLACED,
                "The server's log ends before what was read of it: the server was restored from a copy of its disk"
                    .to_owned(),
            ),
            Self::PublicationMadeAnew => (
                SLOT_LOST,
                format!(
                    "The publication {} was dropped and is there anew, and the server cannot send what was changed in between",
                    publication(resource)
                ),
            ),
            Self::SlotGone => {
                (SLOT_LOST, format!("The replication slot {slot} is gone, and with it changes that were not read"))
            }
            Self::SlotInvalid => (
                SLOT_LOST,
                format!(
                    "The server has removed log that the replication slot {slot} still needed: changes are missing. Raise \
                     max_slot_wal_keep_size, so that it does not happen again"
                ),
            ),
            Self::SlotMadeAnew => (
                SLOT_LOST,
                format!(
                    "The replication slot {slot} was made anew and begins behind what was read: changes are missing"
                ),
            ),
        };
        Finding::error(reason, message, advice(resource))
    }
}

/// Whether the stream of this resource is begun anew when it is broken: unasked, or because a copy anew was asked for of every table.
/// Not when somebody else keeps the publication.
pub fn renews(resource: &CdcReplication) -> bool {
    is_managed(resource) && (renews_unasked(resource) || all_are_copied(resource))
}

fn renews_unasked(resource: &CdcReplication) -> bool {
    resource.spec.on_source_change == OnSourceChange::Resync
}

/// No table is followed any more, or has stopped: each is copied, or waits for that.
fn all_are_copied(resource: &CdcReplication) -> bool {
    let reported = resource.status.as_ref().map(|status| status.tables.as_slice()).unwrap_or_default();
    let is_copied = |name: &str| {
        let mut tables = reported.iter().filter(|table| table.name == name);
        tables.any(|table| matches!(table.phase, TablePhase::Waiting | TablePhase::Snapshotting))
    };
    !resource.spec.tables.is_empty() && resource.spec.tables.iter().all(|table| is_copied(&table.name))
}

fn advice(resource: &CdcReplication) -> String {
    if renews(resource) {
        return "The stream is begun anew: the connector stops and forgets its positions, slot and publication are made anew, and \
                every table is copied anew."
            .to_owned();
    }
    if is_managed(resource) {
        return "Every table has to be copied anew: ask for that with the annotation tributary.dev/resync, for all of them, or set \
                spec.onSourceChange to Resync."
            .to_owned();
    }
    let (slot, publication) = (slot(resource), publication(resource));
    format!(
        "Every table has to be copied anew, and the publication is not this resource's to change: set spec.suspend to true, drop \
         the slot if it is there (SELECT pg_drop_replication_slot('{slot}');), make the publication {publication} anew, by which \
         each table sees that changes are missing, have the connector's positions forgotten (annotate the stopped KafkaConnector \
         with strimzi.io/connector-offsets=reset), and set spec.suspend to false."
    )
}

#[cfg(test)]
mod tests {
    use super::super::facts::Slot;
    use super::super::{Failover, Position, Publication, Role, Server};
    use super::*;

    fn stream(waited_for: &[&str]) -> Stream {
        let waited_for = waited_for.iter().map(ToString::to_string).collect();
        Stream { system: 7, timeline: 2, waited_for, publication: Some(5) }
    }

    fn facts(system: u64, timeline: u32, slot: Option<(&str, bool)>) -> Facts {
        let slot = slot.map(|(wal_status, synced)| Slot {
            plugin: None,
            database: None,
            active: true,
            wal_status: wal_status.to_owned(),
            retained_bytes: None,
            synced,
        });
        let server = Server {
            version: 170_004,
            wal_level: String::new(),
            in_recovery: false,
            slots: 1,
            slots_used: 0,
            senders: 1,
            senders_used: 0,
            database: String::new(),
            harmful_settings: Vec::new(),
        };
        let role = Role { name: String::new(), superuser: false, replication: true, can_create: true };
        let position = Some(Position { system, timeline, lsn: 0.into() });
        let failover = Failover { followed_by: Some("a".to_owned()), ..Failover::default() };
        Facts { server, position, failover, role, slot, publication: None, tables: Vec::new() }
    }

    #[test]
    fn each_way_in_which_changes_are_lost_breaks_a_stream() {
        let there = Some(("reserved", false));
        let synced = Some(("reserved", true));
        for (facts, stream, refused, expected) in [
            (facts(7, 2, there), Some(stream(&[])), false, None),
            (facts(8, 2, there), Some(stream(&[])), false, Some(Break::OtherServer)),
            (facts(7, 3, there), Some(stream(&[])), false, Some(Break::OtherTimeline)),
            (facts(7, 3, synced), Some(stream(&["a"])), false, None),
            (facts(7, 3, synced), Some(stream(&[])), false, Some(Break::OtherTimeline)),
            (facts(7, 3, synced), Some(stream(&["b"])), false, Some(Break::OtherTimeline)),
            (facts(7, 3, there), Some(stream(&["a"])), false, Some(Break::OtherTimeline)),
            (facts(7, 3, None), Some(stream(&[])), false, Some(Break::OtherTimeline)),
            (facts(7, 2, None), Some(stream(&[])), false, Some(Break::SlotGone)),
            (facts(7, 2, Some(("lost", false))), Some(stream(&[])), true, Some(Break::SlotInvalid)),
            (facts(7, 2, there), Some(stream(&[])), true, Some(Break::SlotMadeAnew)),
            // Nobody has read a slot of this server yet.
            (facts(7, 2, None), None, false, None),
            // A connector that an earlier operator made.
            (facts(7, 2, there), None, true, Some(Break::SlotMadeAnew)),
        ] {
            assert_eq!(broken(&facts, stream.as_ref(), refused), expected);
        }
    }

    #[test]
    fn a_publication_that_was_made_anew_breaks_a_stream_if_it_is_ours_and_the_one_before_was_noted() {
        let published = |claimed_by: Option<&str>, oid| {
            let publication = Publication {
                oid,
                owned: true,
                all_tables: false,
                all_operations: true,
                via_root: true,
                members: Vec::new(),
                schemas: Vec::new(),
                tables: Vec::new(),
                claimed_by: claimed_by.map(str::to_owned),
            };
            Facts { publication: Some(publication), ..facts(7, 2, Some(("reserved", false))) }
        };
        let (noted, earlier) = (stream(&[]), Stream { publication: None, ..stream(&[]) });
        for (facts, stream, expected) in [
            (published(Some("u-1"), 6), &noted, Some(Break::PublicationMadeAnew)),
            (published(Some("u-1"), 5), &noted, None),
            (published(Some("u-1"), 6), &earlier, None),
            (published(None, 6), &noted, None),
        ] {
            assert_eq!(broken(&facts, Some(stream), false), expected);
        }
    }

    #[test]
    fn what_is_broken_is_mended_by_itself_or_by_a_statement_that_is_named() {
        let spec = serde_json::json!({
            "source": {"postgres": {"host": "pg", "database": "shop", "credentials": {"secretName": "shop-db"}}},
            "tables": [], "kafka": {}, "destination": {"uri": "file:///tmp"},
        });
        let document = serde_json::json!({"metadata": {"name": "shop"}, "spec": spec});
        let mut resource: CdcReplication = serde_json::from_value(document).unwrap();
        assert!(renews(&resource) && Break::SlotGone.finding(&resource).advice.contains("is begun anew"));
        resource.spec.on_source_change = OnSourceChange::Stop;
        let advice = Break::SlotGone.finding(&resource).advice;
        assert!(!renews(&resource) && advice.contains("spec.onSourceChange"), "{advice}");
        resource.spec.tables = vec![tributary_crds::TableSpec::new("public.a")];
        for (phase, expected) in [("Stopped", false), ("Streaming", false), ("Waiting", true), ("Snapshotting", true)] {
            let status = serde_json::json!({"tables": [{"name": "public.a", "phase": phase}]});
            resource.status = Some(serde_json::from_value(status).unwrap());
            assert_eq!(renews(&resource), expected, "{phase}");
        }
        resource.spec.source.postgres.as_mut().unwrap().publication.managed = false;
        let advice = Break::SlotGone.finding(&resource).advice;
        assert!(!renews(&resource) && advice.contains("pg_drop_replication_slot"), "{advice}");
    }

    #[test]
    fn a_server_that_cannot_be_used_says_nothing() {
        assert_eq!(broken(&Facts { position: None, ..facts(8, 1, None) }, Some(&stream(&[])), true), None);
    }

    #[test]
    fn a_stream_is_read_as_it_is_written() {
        for (text, waited_for) in [("7/2//5", &[][..]), ("7/2/a,b/5", &["a", "b"])] {
            assert_eq!(text.parse(), Ok(stream(waited_for)));
            assert_eq!(stream(waited_for).to_string(), text);
        }
        assert_eq!("7/2".parse(), Ok(Stream { publication: None, ..stream(&[]) }), "of an earlier version");
        assert_eq!("7".parse::<Stream>(), Err(()));
    }
}
