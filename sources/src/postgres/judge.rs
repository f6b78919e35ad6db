//! Facts and the resource in, findings out: everything that would fail later, said now and with the way out.

mod publication;
mod server;
mod table;

#[cfg(test)]
mod tests;

use tributary_crds::CdcReplication;

use super::broken::Break;
use super::facts::{Facts, Slot};
use super::finding::Finding;
use super::names::slot;
use super::sql;

/// Everything about the source that must be changed first, or that should be known. Errors come first.
pub fn judge(facts: &Facts, resource: &CdcReplication) -> Vec<Finding> {
    let mut found = Vec::new();
    server::server(facts, &mut found);
    if Facts::is_usable(&facts.server) {
        server::settings(facts, &mut found);
        server::role(facts, &mut found);
        match &facts.slot {
            Some(own) => existing_slot(own, resource, facts, &mut found),
            None => server::room(facts, &mut found),
        }
        publication::publication(facts, resource, &mut found);
        for table in &facts.tables {
            table::table(table, facts, resource, &mut found);
        }
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

fn existing_slot(own: &Slot, resource: &CdcReplication, facts: &Facts, found: &mut Vec<Finding>) {
    let name = &slot(resource);
    let database = &facts.server.database;
    if own.plugin.as_deref() != Some("pgoutput") || own.database.as_deref() != Some(database) {
        let message = format!(
            "The replication slot {name} is there, but not as a pgoutput slot of the database {database}: it has the \
             plugin {} and the database {}",
            own.plugin.as_deref().unwrap_or("(none)"),
            own.database.as_deref().unwrap_or("(none)"),
        );
        let advice = format!("Drop it, if nobody needs it: SELECT pg_drop_replication_slot('{name}');");
        found.push(Finding::error("SlotForeign", message, advice));
        return;
    }
    match own.wal_status.as_str() {
        "lost" => found.push(Break::SlotInvalid.finding(resource)),
        "unreserved" => found.push(Finding::warning(
            "SlotAtRisk",
            format!("The replication slot {name} is behind by more than max_slot_wal_keep_size, and will be lost soon"),
            "Raise max_slot_wal_keep_size and reload the server (SELECT pg_reload_conf();), and see why the connector is \
             behind.",
        )),
        _ => {}
    }
    if !own.active {
        server::senders(facts, found);
        found.extend(retained(own.retained_bytes, name));
    }
}

/// The log that is kept for a slot that nobody reads, from a gibibyte on. In powers of two, so that it is not said anew each time.
fn retained(bytes: Option<i64>, slot: &str) -> Option<Finding> {
    let gibibytes = u64::try_from(bytes?).ok()? >> 30;
    let power = 1_u64 << gibibytes.checked_ilog2()?;
    Some(Finding::warning(
        "SlotGrows",
        format!(
            "Nobody reads the replication slot {slot}, and the server keeps more than {power} GiB of its log for it; it will keep \
             more until its disk is full"
        ),
        "Set spec.suspend to false, or see in ConnectorReady why the connector does not run. Or limit what is kept with \
         max_slot_wal_keep_size: beyond that the slot is lost, and the tables have to be copied anew.",
    ))
}
