//! When to tell the resource. Pure: time comes in.

use std::time::{Duration, Instant};

use tributary_crds::TableStatus;

/// The shortest time between two writes.
const SHORTEST: Duration = Duration::from_secs(2);
/// The time between two writes while only numbers change.
const NUMBERS: Duration = Duration::from_secs(10);
/// What was told is told again after this time. The API server stores nothing if it is still there, and gets it back if
/// somebody has taken it away.
const AGAIN: Duration = Duration::from_mins(1);
/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// Up to here a lag is that of a quiet table: the connector's ticks come every five seconds.
const QUIET_LAG: i64 = 15;
/// Up to here it is that in bytes: what a busy server writes meanwhile.
const QUIET_BYTES: i64 = 64 << 20;

/// What was told, and when.
#[derive(Debug, Default)]
pub(super) struct Pace {
    told: Option<(Instant, Vec<TableStatus>)>,
    /// When to try again, and how long to wait after the next failure.
    retry: Option<(Instant, Duration)>,
}

/// How much a change matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    None,
    Numbers,
    State,
}

impl Pace {
    /// What is to be told now, if anything, when the tables are as in `tables`.
    pub(super) fn due(&self, now: Instant, tables: Vec<TableStatus>) -> Option<Vec<TableStatus>> {
        if self.retry.is_some_and(|(at, _)| now < at) {
            return None;
        }
        let Some((at, told)) = &self.told else { return Some(tables) };
        let (interval, tables) = match change(told, &tables) {
            Change::State => (SHORTEST, tables),
            Change::Numbers => (NUMBERS, tables),
            // To the letter, so that the API server finds nothing to store.
            Change::None => (AGAIN, told.clone()),
        };
        (now.saturating_duration_since(*at) >= interval).then_some(tables)
    }

    /// `tables` were told.
    pub(super) fn told(&mut self, now: Instant, tables: Vec<TableStatus>) {
        *self = Self { told: Some((now, tables)), retry: None };
    }

    /// Telling did not succeed.
    pub(super) fn failed(&mut self, now: Instant) {
        let (first, longest) = PAUSES;
        let pause = self.retry.map_or(first, |(_, pause)| pause);
        self.retry = Some((now + pause, (pause * 2).min(longest)));
    }
}

fn change(told: &[TableStatus], tables: &[TableStatus]) -> Change {
    if told.len() != tables.len() {
        return Change::State;
    }
    told.iter().zip(tables).map(|(told, table)| change_of(told, table)).max().unwrap_or(Change::None)
}

fn change_of(told: &TableStatus, table: &TableStatus) -> Change {
    // That the lag is known at all is what `CaughtUp` waits for, after a first copy and after each restart.
    let state = |table: &TableStatus| (table.name.clone(), table.phase, table.lag_seconds.is_some());
    if state(told) != state(table) {
        return Change::State;
    }
    let lag = |table: &TableStatus| {
        (table.lag_seconds.map(|lag| band(lag, QUIET_LAG)), table.lag_bytes.map(|lag| band(lag, QUIET_BYTES)))
    };
    let rest = |table: &TableStatus| TableStatus { lag_seconds: None, lag_bytes: None, ..table.clone() };
    if lag(told) == lag(table) && rest(told) == rest(table) { Change::None } else { Change::Numbers }
}

/// The lag of a quiet table goes up and down with the ticks, and one that grows does so every second: what matters
/// is whether it is small, and then each quarter more.
fn band(lag: i64, quiet: i64) -> i64 {
    let (mut band, mut end) = (0, quiet);
    while lag > end {
        band += 1;
        end += end / 4;
    }
    band
}

#[cfg(test)]
mod tests {
    use tributary_crds::TablePhase;

    use super::*;

    fn table(phase: TablePhase, rows: i64, lag_seconds: i64) -> Vec<TableStatus> {
        let (rows, lag_seconds) = (Some(rows), Some(lag_seconds));
        let unknown = (None, None);
        vec![TableStatus {
            name: "public.users".into(),
            phase,
            rows,
            lag_seconds,
            lag_bytes: Some(0),
            snapshot_percent: None,
            delta_version: unknown.0,
            position: unknown.1,
            compared: None,
            message: None,
        }]
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// The first whole second after which `tables` are told, when streaming with one row was told at 0.
    fn told_after(tables: &[TableStatus]) -> u64 {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.told(start, table(TablePhase::Streaming, 1, 3));
        (0..1000).find(|&second| pace.due(after(start, second), tables.to_vec()).is_some()).unwrap()
    }

    #[test]
    fn what_was_never_told_is_told_at_once() {
        assert_eq!(Pace::default().due(Instant::now(), Vec::new()), Some(Vec::new()));
    }

    #[test]
    fn a_phase_is_told_soon_numbers_later_and_what_is_known_only_now_and_then() {
        assert_eq!(told_after(&table(TablePhase::Stopped, 1, 3)), 2);
        assert_eq!(told_after(&[]), 2, "a table is gone");
        let mut unknown = table(TablePhase::Streaming, 1, 3);
        unknown[0].lag_seconds = None;
        assert_eq!(told_after(&unknown), 2, "whether the lag is known");
        assert_eq!(told_after(&table(TablePhase::Streaming, 2, 3)), 10);
        assert_eq!(told_after(&table(TablePhase::Streaming, 1, 3)), 60);
    }

    #[test]
    fn the_lag_of_an_idle_table_causes_no_writes_and_one_that_matters_does() {
        for quiet in 0..=QUIET_LAG {
            assert_eq!(told_after(&table(TablePhase::Streaming, 1, quiet)), 60, "{quiet} s");
        }
        assert_eq!(told_after(&table(TablePhase::Streaming, 1, QUIET_LAG + 1)), 10);
        for (bytes, told) in [(QUIET_BYTES, 60), (QUIET_BYTES + 1, 10)] {
            let mut behind = table(TablePhase::Streaming, 1, 3);
            behind[0].lag_bytes = Some(bytes);
            assert_eq!(told_after(&behind), told, "{bytes} bytes");
        }
        let start = Instant::now();
        let mut pace = Pace::default();
        let (mut stored, mut writes) = (Vec::new(), 0);
        for second in 0..3600 {
            let now = after(start, second as u64);
            if let Some(tables) = pace.due(now, table(TablePhase::Streaming, 1, second)) {
                writes += usize::from(tables != stored);
                stored.clone_from(&tables);
                pace.told(now, tables);
            }
        }
        assert!((10..40).contains(&writes), "{writes} writes in an hour of growing lag");
    }

    #[test]
    fn after_a_failure_it_waits_longer_each_time_and_a_success_ends_that() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pace.failed(now);
            let pause = (1..1000).find(|&second| pace.due(after(now, second), Vec::new()).is_some()).unwrap();
            pauses.push(pause);
            now = after(now, pause);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        pace.told(now, Vec::new());
        pace.failed(now);
        let due = |second| pace.due(after(now, second), Vec::new()).is_some();
        assert!(due(60) && !due(1));
    }
}
