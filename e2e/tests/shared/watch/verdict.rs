//! What follows from looks at tables: was `CaughtUp` ever True when it must not be? Pure.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Within this time of a change at the source `CaughtUp` is not True any more, or the table is equal again.
const NOTICED_WITHIN: Duration = Duration::from_mins(1);

/// What the product says of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) is_caught_up: bool,
    /// The reason of the condition.
    pub(super) reason: String,
}

impl Said {
    pub(super) fn no(reason: &str) -> Self {
        Self { is_caught_up: false, reason: reason.to_owned() }
    }

    /// It knows that the table is not what it should be. A lag says nothing of that: it comes and goes with the ticks.
    fn has_noticed(&self) -> bool {
        !self.is_caught_up && self.reason != "Lagging"
    }
}

/// One look at one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) table: String,
    /// When, counted from the change.
    pub(super) at: Duration,
    pub(super) said: Said,
    /// Whether table and source were equal.
    pub(super) equal: bool,
}

/// All looks, oldest first.
#[derive(Default)]
pub(crate) struct Watched {
    pub(super) samples: Vec<Sample>,
}

/// What the product could know of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    /// All of it, since it was told, or has said already that something is missing: never a lie.
    Everything,
    /// What it finds at the source: no lie after a minute, and none of a table once something was found.
    WhatItFinds,
}

impl Watched {
    /// Fails if `CaughtUp` was ever True when it must not be.
    pub(crate) fn assert_no_lie(&self, knows: Knows) {
        let lies = self.lies(knows);
        assert!(lies.is_empty(), "CaughtUp was True while tables differed from their sources: {lies:#?}\n{self}");
    }

    /// Tables that were seen to differ: of the others nothing was shown.
    pub(crate) fn differed(&self) -> usize {
        let differed = self.samples.iter().filter(|sample| !sample.equal).map(|sample| &sample.table);
        differed.collect::<HashSet<_>>().len()
    }

    fn lies(&self, knows: Knows) -> Vec<&Sample> {
        let mut noticed = HashSet::new();
        let is_lie = |sample: &&Sample| {
            if sample.said.has_noticed() {
                noticed.insert(sample.table.clone());
            }
            let must_know = knows == Knows::Everything || sample.at > NOTICED_WITHIN || noticed.contains(&sample.table);
            must_know && sample.said.is_caught_up && !sample.equal
        };
        self.samples.iter().filter(is_lie).collect()
    }
}

impl fmt::Display for Watched {
    /// For each table, each change of what was said and seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looks", self.samples.len())?;
        let mut tables: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            tables.entry(&sample.table).or_default().push(sample);
        }
        for (table, samples) in tables {
            write!(f, "\n  {table}:")?;
            let mut last = None;
            for Sample { at, said, equal, .. } in samples {
                if last.replace((said, equal)) != Some((said, equal)) {
                    let rows = if *equal { "equal" } else { "other rows" };
                    write!(f, " {:.1} s {} {rows};", at.as_secs_f64(), said.reason)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Second, reason, whether the rows were equal.
    fn watched(looks: &[(u64, &str, bool)]) -> Watched {
        let sample = |&(second, reason, equal): &(u64, &str, bool)| Sample {
            table: "public.t".to_owned(),
            at: Duration::from_secs(second),
            said: Said { is_caught_up: reason == "CaughtUp", reason: reason.to_owned() },
            equal,
        };
        Watched { samples: looks.iter().map(sample).collect() }
    }

    fn seconds_of_lies(looks: &[(u64, &str, bool)], knows: Knows) -> Vec<u64> {
        watched(looks).lies(knows).iter().map(|sample| sample.at.as_secs()).collect()
    }

    const RIGHT: [(u64, &str, bool); 5] = [
        (1, "CaughtUp", false),
        (29, "CaughtUp", false),
        (30, "Snapshotting", false),
        (35, "Lagging", true),
        (36, "CaughtUp", true),
    ];

    #[test]
    fn a_change_that_nobody_was_told_of_may_be_unseen_for_a_while() {
        assert_eq!(seconds_of_lies(&RIGHT, Knows::WhatItFinds), [0; 0]);
        assert_eq!(seconds_of_lies(&RIGHT, Knows::Everything), [1, 29]);
    }

    #[test]
    fn a_minute_is_enough_and_a_lag_is_no_knowledge() {
        let unseen = [(1, "CaughtUp", false), (5, "Lagging", false), (7, "CaughtUp", false), (60, "CaughtUp", false)];
        assert_eq!(seconds_of_lies(&unseen, Knows::WhatItFinds), [0; 0]);
        let too_long = [&unseen[..], &[(61, "CaughtUp", false), (62, "Snapshotting", false)]].concat();
        assert_eq!(seconds_of_lies(&too_long, Knows::WhatItFinds), [61]);
    }

    #[test]
    fn what_was_seen_once_is_not_forgotten_before_the_rows_are_right() {
        let forgotten = [(2, "Snapshotting", false), (3, "CaughtUp", false), (4, "CaughtUp", true)];
        assert_eq!(seconds_of_lies(&forgotten, Knows::WhatItFinds), [3]);
        let mut other = watched(&[(2, "Waiting", false)]);
        other.samples[0].table = "public.other".to_owned();
        other.samples.extend(watched(&RIGHT[..2]).samples);
        assert!(other.lies(Knows::WhatItFinds).is_empty(), "another table was noticed");
    }

    #[test]
    #[should_panic(expected = "CaughtUp was True while tables differed")]
    fn a_lie_fails_the_test_that_watches() {
        watched(&RIGHT).assert_no_lie(Knows::Everything);
    }

    #[test]
    fn what_was_seen_reads_as_a_course_of_each_table() {
        let text = watched(&RIGHT).to_string();
        let course =
            "1.0 s CaughtUp other rows; 30.0 s Snapshotting other rows; 35.0 s Lagging equal; 36.0 s CaughtUp equal;";
        assert!(text.starts_with("5 looks\n  public.t: ") && text.ends_with(course), "{text}");
        assert_eq!(watched(&RIGHT).differed(), 1);
    }
}
