//! Whether the Delta tables equal their sources: every table follows its changes, and none is far behind.

use std::time::Duration;

use tributary_crds::{CdcReplication, TablePhase, TableStatus};
use tributary_sources::postgres;

use super::{Part, Standing};

/// An idle table is known to be complete up to the connector's last tick, which comes every 5 s: three of them.
const TICKS: Duration = Duration::from_secs(15);

/// The longest lag of a table that is caught up: two commit intervals, since a change may have just missed one, and
/// three ticks.
pub fn longest_lag(resource: &CdcReplication) -> Duration {
    resource.spec.replicator.commit_interval.get() * 2 + TICKS
}

/// Whether all tables are caught up. `reported`: every pod has reported since it started, so the tables are not those
/// of an earlier pod. Without a connector at work nobody would know of changes, nor of rows that were never copied; and where
/// changes are missing at the source, no table knows yet.
pub fn caught_up(
    resource: &CdcReplication,
    source: &Part,
    connector: &Part,
    replicator: &Part,
    reported: bool,
) -> Part {
    if resource.spec.suspend {
        return Part::resting("Suspended", "spec.suspend is true: nothing is written");
    }
    if source.standing == Standing::Bad && postgres::misses_changes(&source.reason) {
        return Part { standing: Standing::Working, ..source.clone() };
    }
    if connector.standing != Standing::Good {
        return Part::working("ConnectorNotReady", format!("nobody reads the source: {}", connector.message));
    }
    if replicator.standing != Standing::Good {
        return Part::working("ReplicatorNotReady", format!("nobody follows all tables: {}", replicator.message));
    }
    if !reported {
        return Part::working("NotReported", "the replicator's pods have not reported since they started");
    }
    let reported = resource.status.as_ref().map(|status| status.tables.as_slice()).unwrap_or_default();
    let tables: Vec<(&str, Option<&TableStatus>)> = resource
        .spec
        .tables
        .iter()
        .map(|table| (table.name.as_str(), reported.iter().find(|status| status.name == table.name)))
        .collect();
    let phase = |phase: TablePhase| of_phase(&tables, phase);
    let missing: Vec<String> =
        tables.iter().filter(|(_, status)| status.is_none()).map(|(name, _)| (*name).to_owned()).collect();
    let steps = [
        (Standing::Bad, "TableStopped", "stopped", phase(TablePhase::Stopped)),
        (Standing::Working, "NotReported", "not reported yet", missing),
        (Standing::Working, "Waiting", "waiting", phase(TablePhase::Waiting)),
        (Standing::Working, "Retrying", "retrying a commit", phase(TablePhase::Retrying)),
        (Standing::Working, "Snapshotting", "copying the first rows", phase(TablePhase::Snapshotting)),
        (Standing::Working, "Lagging", "behind", behind(&tables, longest_lag(resource))),
    ];
    let first = steps.into_iter().find(|(_, _, _, names)| !names.is_empty());
    let Some((standing, reason, what, names)) = first else {
        return Part::good("CaughtUp", good(tables.len(), longest_lag(resource)));
    };
    let message = format!("{} of {} tables: {what}: {}", names.len(), tables.len(), names.join("; "));
    Part { standing, reason: reason.to_owned(), message }
}

fn good(tables: usize, longest: Duration) -> String {
    format!(
        "all {tables} tables follow their sources within {} s (two commitIntervals and three ticks)",
        seconds(longest)
    )
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX)
}

fn of_phase(tables: &[(&str, Option<&TableStatus>)], phase: TablePhase) -> Vec<String> {
    let of_phase = tables.iter().filter_map(|(name, status)| Some((name, (*status)?)));
    of_phase
        .filter(|(_, status)| status.phase == phase)
        .map(|(name, status)| match (&status.message, status.snapshot_percent) {
            (Some(message), _) => format!("{name} ({message})"),
            (None, Some(percent)) => format!("{name} ({percent} %)"),
            (None, None) => (*name).to_string(),
        })
        .collect()
}

/// Tables whose lag is too long, or not known.
fn behind(tables: &[(&str, Option<&TableStatus>)], longest: Duration) -> Vec<String> {
    let lag = |status: Option<&TableStatus>| status.and_then(|status| status.lag_seconds);
    tables
        .iter()
        .filter_map(|(name, status)| match lag(*status) {
            Some(lag) if lag <= seconds(longest) => None,
            Some(lag) => Some(format!("{name} by {lag} s")),
            None => Some(format!("{name} by an unknown time")),
        })
        .collect()
}
