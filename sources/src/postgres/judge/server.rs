//! What must hold for the server and the user.

use super::super::broken::HARMFUL_SETTINGS;
use super::super::facts::OLDEST;
use super::{Facts, Finding, sql};

pub(super) fn server(facts: &Facts, found: &mut Vec<Finding>) {
    let server = &facts.server;
    if server.version < OLDEST {
        let message = format!("The server is PostgreSQL {}, and 14 is the oldest that works", server.version / 10_000);
        found.push(Finding::error("ServerTooOld", message, "Upgrade the server."));
        return;
    }
    if server.in_recovery {
        let message = "The server is a standby: it has no publications of its own";
        found.push(Finding::error("ServerIsStandby", message, "Set spec.source.postgres.host to the primary."));
        return;
    }
    if server.wal_level != "logical" {
        let message = format!(
            "The server has wal_level={}, and changes can be read with wal_level=logical only",
            server.wal_level
        );
        let advice = "Run ALTER SYSTEM SET wal_level = 'logical'; and restart the server. In a managed database this is a \
                      parameter: rds.logical_replication=1 (Amazon), cloudsql.logical_decoding=on (Google).";
        found.push(Finding::error("WalLevelNotLogical", message, advice));
    }
}

/// Values come through the connector as the server writes them in a session of its user.
pub(super) fn settings(facts: &Facts, found: &mut Vec<Finding>) {
    let Some(first) = facts.server.harmful_settings.first() else { return };
    let (user, database) = (sql::identifier(&facts.role.name), sql::identifier(&facts.server.database));
    let (name, _) = first.split_once('=').unwrap_or((first, ""));
    let right = match name {
        "IntervalStyle" => "'postgres'",
        "bytea_output" => "'hex'",
        _ => "1",
    };
    let message = format!(
        "Sessions of {user} in the database {database} have {}: the connector takes what the server sends then for other values",
        facts.server.harmful_settings.join(", ")
    );
    let advice = format!(
        "Run: ALTER ROLE {user} IN DATABASE {database} SET {name} = {right}; then have the connector start again (annotation \
         strimzi.io/restart=true of the KafkaConnector), and every table copied anew (annotation tributary.dev/resync)."
    );
    found.push(Finding::error(HARMFUL_SETTINGS, message, advice));
}

pub(super) fn role(facts: &Facts, found: &mut Vec<Finding>) {
    if !facts.role.replication {
        let user = sql::identifier(&facts.role.name);
        let message =
            format!("The user {user} has not the REPLICATION attribute, so it cannot read a replication slot");
        let advice = format!(
            "Run as superuser: ALTER ROLE {user} WITH REPLICATION; (on Amazon: GRANT rds_replication TO {user};)"
        );
        found.push(Finding::error("ReplicationNotPermitted", message, advice));
    }
}

/// Room for a slot that is still to be made, and for its reader.
pub(super) fn room(facts: &Facts, found: &mut Vec<Finding>) {
    let server = &facts.server;
    if server.slots_used >= server.slots {
        let message = format!("All {} replication slots of the server are taken", server.slots);
        let advice = format!(
            "Drop one that nobody reads (SELECT slot_name FROM pg_replication_slots WHERE NOT active;), or run ALTER SYSTEM \
             SET max_replication_slots = {}; and restart the server.",
            server.slots_used + 5
        );
        found.push(Finding::error("NoSlotFree", message, advice));
    }
    senders(facts, found);
}

pub(super) fn senders(facts: &Facts, found: &mut Vec<Finding>) {
    let server = &facts.server;
    if server.senders_used >= server.senders {
        let message = format!("All {} WAL senders of the server are at work", server.senders);
        let advice =
            format!("Run ALTER SYSTEM SET max_wal_senders = {}; and restart the server.", server.senders_used + 5);
        found.push(Finding::error("NoSenderFree", message, advice));
    }
}
