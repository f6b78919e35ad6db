//! A standby that takes the place of its server: whether a stream goes on there without losing anything.
//!
//! From Postgres 17 on a standby can keep a slot up to date (`sync_replication_slots`). Nothing is lost only if the server delivered no
//! change before the standby had it, which is what `synchronized_standby_slots` of the server is for: else a reader has changes
//! that the standby never had, and the standby leaves out others at the same places of its log.

use super::{Session, SourceError};

/// What one server says of failovers: the one that it came from, and the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// The slots of the standbys that are waited for before a change is delivered (`synchronized_standby_slots`).
    pub waited_for: Vec<String>,
    /// The slot by which this server followed another when it was a standby (`primary_slot_name`), where that is still known.
    pub followed_by: Option<String>,
}

impl Failover {
    /// Whether this server had all that was delivered by the one whose place it has taken, which waited for these.
    pub fn had_all(&self, waited_for: &[String]) -> bool {
        let is_waited_for = self.followed_by.as_ref().is_none_or(|slot| waited_for.contains(slot));
        !waited_for.is_empty() && is_waited_for
    }
}

/// Asks the server. Older ones than 17 have neither.
pub async fn failover(session: &Session) -> Result<Failover, SourceError> {
    let query =
        "SELECT array_remove(regexp_split_to_array(coalesce(current_setting('synchronized_standby_slots', true), ''),
            '[\\s,\"]+'), ''), nullif(current_setting('primary_slot_name', true), '')";
    let row = session.query_one(query, &[]).await.map_err(SourceError::statement("read the settings of failovers"))?;
    Ok(Failover { waited_for: row.get(0), followed_by: row.get(1) })
}

/// The slot was kept up to date on the server before it was promoted (`failover`, from Postgres 17 on).
pub async fn is_synced(session: &Session, slot: &str) -> Result<bool, SourceError> {
    // Older servers do not have the column.
    let query = "SELECT coalesce((to_jsonb(slot) ->> 'synced')::bool, false) FROM pg_replication_slots slot
        WHERE slot_name = $1 AND database = current_database()";
    let row = session.query_opt(query, &[&slot]).await.map_err(SourceError::statement("read the replication slots"))?;
    Ok(row.is_some_and(|row| row.get(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_had_all_that_was_delivered_if_it_was_waited_for() {
        let standby = |slot: Option<&str>| Failover { followed_by: slot.map(str::to_owned), ..Failover::default() };
        let both = ["a".to_owned(), "b".to_owned()];
        for (slot, waited_for, expected) in [
            (Some("a"), &both[..], true),
            (Some("a"), &both[1..], false),
            (Some("a"), &[], false),
            // Whoever promoted it has taken the setting away: all that are waited for had all.
            (None, &both[..], true),
            (None, &[], false),
        ] {
            assert_eq!(standby(slot).had_all(waited_for), expected, "{slot:?} {waited_for:?}");
        }
    }
}
