//! Facts and the resource in, findings out: everything that would fail later, said now and with the way out.

mod publication;
mod server;
mod table;

#[cfg(test)]
mod tests;

use tributary_crds::CdcReplication;

use super::facts::{Facts, Slot};
use super::finding::Finding;
use super::names::slot;
use super::sql;

/// Everything about the source that must be changed first, or that should be known. Errors come first.
pub fn judge(facts: &Facts, resource: &CdcReplication) -> Vec<Finding> {
    let mut found = Vec::new();
    server::server(facts, &mut found);
    if Facts::is_usable(&facts.server) {
        server::role(facts, &mut found);
        match &facts.slot {
            Some(own) => existing_slot(own, &slot(resource), facts, &mut found),
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

fn existing_slot(slot: &Slot, name: &str, facts: &Facts, found: &mut Vec<Finding>) {
    let database = &facts.server.database;
    if slot.plugin.as_deref() != Some("pgoutput") || slot.database.as_deref() != Some(database) {
        let message = format!(
            "The replication slot {name} is there, but not as a pgoutput slot of the database {database}: it has the \
             plugin {} and the database {}",
            slot.plugin.as_deref().unwrap_or("(none)"),
            slot.database.as_deref().unwrap_or("(none)"),
        );
        let advice = format!("Drop it, if nobody needs it: SELECT pg_drop_replication_slot('{name}');");
        found.push(Finding::error("SlotForeign", message, advice));
        return;
    }
    let dropping = format!("SELECT pg_drop_replication_slot('{name}');");
    match slot.wal_status.as_str() {
        "lost" => found.push(Finding::error(
            "SlotLost",
            format!("The server has removed log that the replication slot {name} still needed: changes are missing"),
            format!(
                "Raise max_slot_wal_keep_size, so that it does not happen again. Then delete this resource, run {dropping} \
                 and create a resource with another name: it copies the tables anew."
            ),
        )),
        "unreserved" => found.push(Finding::warning(
            "SlotAtRisk",
            format!("The replication slot {name} is behind by more than max_slot_wal_keep_size, and will be lost soon"),
            "Raise max_slot_wal_keep_size and reload the server (SELECT pg_reload_conf();), and see why the connector is \
             behind.",
        )),
        _ => {}
    }
    if !slot.active {
        server::senders(facts, found);
        found.extend(retained(slot.retained_bytes, name));
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
