//! How large data files get, how long history stays, and when it may be worked on. Pure: time comes in.

use std::time::Duration;

use jiff::Timestamp;

const DAY: i64 = 24 * 60 * 60;
/// The part of the history for which a file needs no tombstone.
const BRIEF: u32 = 7 * 24;

/// How the Delta tables of this process are maintained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Bytes that data files grow to by compaction.
    pub target_file_bytes: u64,
    /// How long an older version stays readable after a newer one replaced it.
    pub history: Duration,
    /// When compaction and vacuum may begin a piece of work; always when there is none.
    pub windows: Vec<Window>,
}

/// A part of each day, in UTC. One that ends before it begins ends on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it begins, after midnight.
    pub from: Duration,
    /// When it ends, after midnight; that moment is outside.
    pub to: Duration,
}

impl Maintenance {
    /// What the resource asks for.
    pub fn of(maintenance: &tributary_crds::Maintenance) -> Self {
        Self {
            target_file_bytes: maintenance.target_file_size.bytes(),
            history: maintenance.history.get(),
            windows: maintenance.windows.iter().copied().map(Window::of).collect(),
        }
    }

    /// How long a file may be in the table and need no tombstone all the same, in milliseconds: an hour of a week. That is
    /// far more than files of the lower tiers live, and little storage.
    pub(in crate::table) fn brief_ms(&self) -> i64 {
        i64::try_from((self.history / BRIEF).as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether compaction and vacuum may begin a piece of work at this moment.
    pub fn allowed(&self, at: Timestamp) -> bool {
        // UTC has no leap seconds here, so that each day has the same length.
        let since_midnight = Duration::from_secs(at.as_second().rem_euclid(DAY).unsigned_abs());
        self.windows.is_empty() || self.windows.iter().any(|window| window.contains(since_midnight))
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        Self::of(&tributary_crds::Maintenance::default())
    }
}

impl Window {
    fn of(window: tributary_crds::Window) -> Self {
        Self { from: window.from.since_midnight(), to: window.to.since_midnight() }
    }

    /// Whether a time of day, given as the time since midnight, is inside.
    pub fn contains(&self, since_midnight: Duration) -> bool {
        let (begun, ended) = (self.from <= since_midnight, self.to <= since_midnight);
        if self.from < self.to { begun && !ended } else { begun || !ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn during(windows: &[(&str, &str)]) -> Maintenance {
        let window = |(from, to): &(&str, &str)| {
            Window::of(tributary_crds::Window { from: from.parse().unwrap(), to: to.parse().unwrap() })
        };
        Maintenance { windows: windows.iter().map(window).collect(), ..Maintenance::default() }
    }

    fn allowed(windows: &[(&str, &str)], time: &str) -> bool {
        during(windows).allowed(format!("2026-11-28T{time}Z").parse().unwrap())
    }

    #[test]
    fn the_defaults_are_those_of_the_resource() {
        let maintenance = Maintenance::default();
        assert_eq!((maintenance.target_file_bytes, maintenance.history.as_secs()), (128 << 20, 7 * 24 * 3600));
    }

    #[test]
    fn without_windows_it_is_always_allowed() {
        assert!(["00:00:00", "12:34:56", "23:59:59.999"].iter().all(|time| allowed(&[], time)));
    }

    #[test]
    fn a_window_begins_with_its_first_moment_and_ends_before_its_last() {
        let window = [("01:00", "04:30")];
        for (time, expected) in [
            ("00:59:59.999", false),
            ("01:00:00", true),
            ("04:29:59.999", true),
            ("04:30:00", false),
            ("23:00:00", false),
        ] {
            assert_eq!(allowed(&window, time), expected, "{time}");
        }
    }

    #[test]
    fn a_window_that_ends_before_it_begins_ends_on_the_next_day() {
        let window = [("22:00", "04:00")];
        for (time, expected) in [
            ("21:59:59", false),
            ("22:00:00", true),
            ("23:59:59", true),
            ("00:00:00", true),
            ("03:59:59", true),
            ("04:00:00", false),
            ("12:00:00", false),
        ] {
            assert_eq!(allowed(&window, time), expected, "{time}");
        }
    }

    #[test]
    fn a_window_until_midnight_ends_there() {
        let window = [("22:00", "00:00")];
        assert!(allowed(&window, "23:59:59") && !allowed(&window, "00:00:00") && !allowed(&window, "21:00:00"));
    }

    #[test]
    fn one_of_several_windows_is_enough() {
        let windows = [("01:00", "02:00"), ("12:00", "12:30")];
        assert!(allowed(&windows, "01:30:00") && allowed(&windows, "12:15:00") && !allowed(&windows, "03:00:00"));
    }

    #[test]
    fn a_time_before_1970_has_a_time_of_day_too() {
        let at = "1969-12-31T23:00:00Z".parse().unwrap();
        assert!(during(&[("22:00", "00:00")]).allowed(at) && !during(&[("00:00", "22:00")]).allowed(at));
    }
}
