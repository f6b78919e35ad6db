//! Whether a commit is due, and why. Pure: told how the table stands, it says what to do; the loop only does it.

use std::time::Duration;

use tokio::time::Instant;

use super::CommitLimits;

/// How long the delete of a row may take to come whose value is nowhere: it was in the source's log when the value was looked for.
pub(super) const DELETE_PATIENCE: Duration = Duration::from_mins(1);
/// How soon a value that was nowhere is looked for again.
pub(super) const DELETE_POLL: Duration = Duration::from_millis(100);
/// How long memory may be ahead of the log by messages that change nothing: longer than this, and retention might
/// delete messages of which the log says that they were not read.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_hours(1);

/// How a table stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Since when there are events that a commit would apply. The first half of a key change is none: it waits for the second
    /// and is committed with it.
    pub(super) since: Option<Instant>,
    /// Bytes of memory that they hold.
    pub(super) bytes: usize,
    /// Memory is short, and a commit makes room.
    pub(super) pressed: bool,
    /// Since when more was read than the log says, although nothing has to be applied.
    pub(super) ahead: Option<Instant>,
    /// Some event needs a value that nobody has yet.
    pub(super) lack: Option<Lack>,
    /// A commit did not succeed: when to try it again.
    pub(super) retry: Option<Instant>,
    /// Nothing more will come: the table was told to stop, or its topic cannot be read on.
    pub(super) last: bool,
}

/// A value that nobody has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lack {
    /// When it was first looked for.
    pub(super) since: Instant,
    /// When it was last looked for.
    pub(super) looked: Instant,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing, until then or until something comes.
    Wait(Option<Instant>),
    /// Commit.
    Commit(Why),
    /// A commit is due and cannot be made before then.
    Hold(Blocker, Instant),
}

/// Why a commit is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The oldest event is old enough.
    Interval,
    /// The events hold as much memory as they may.
    Size,
    /// Memory is short.
    Memory,
    /// Nothing more will come.
    Last,
    /// Only to say how far the topic was read.
    Progress,
    /// The last attempt did not succeed.
    Retry,
}

impl Why {
    /// Its name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Size => "size",
            Self::Memory => "memory",
            Self::Last => "last",
            Self::Progress => "progress",
            Self::Retry => "retry",
        }
    }
}

/// Why a commit that is due is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    /// A value is nowhere; the event that makes it needless may be on its way.
    Lack,
    /// The last attempt did not succeed.
    Backoff,
}

/// What to do now.
pub(super) fn commit_due(limits: &CommitLimits, facts: &Facts, now: Instant) -> Decision {
    if let Some(retry) = facts.retry {
        return if now >= retry { Decision::Commit(Why::Retry) } else { Decision::Hold(Blocker::Backoff, retry) };
    }
    let why = match facts.trigger(limits, now) {
        Ok(why) => why,
        Err(at) => return Decision::Wait(at),
    };
    match facts.lack {
        // What would cure the lack will not come any more; what is buffered comes again after the next start.
        Some(_) if facts.last => Decision::Wait(None),
        Some(lack) if now < lack.since + DELETE_PATIENCE && now < lack.looked + DELETE_POLL => {
            Decision::Hold(Blocker::Lack, lack.looked + DELETE_POLL)
        }
        _ => Decision::Commit(why),
    }
}

impl Facts {
    /// Why a commit is due now, or when it will be if nothing else happens.
    fn trigger(&self, limits: &CommitLimits, now: Instant) -> Result<Why, Option<Instant>> {
        let Some(since) = self.since else { return self.progress(now) };
        let due = since + limits.interval;
        if self.last {
            Ok(Why::Last)
        } else if self.bytes >= limits.bytes {
            Ok(Why::Size)
        } else if self.pressed {
            Ok(Why::Memory)
        } else if now >= due {
            Ok(Why::Interval)
        } else {
            Err(Some(due))
        }
    }

    fn progress(&self, now: Instant) -> Result<Why, Option<Instant>> {
        let Some(ahead) = self.ahead else { return Err(None) };
        let due = ahead + PROGRESS_INTERVAL;
        if self.last || now >= due { Ok(Why::Progress) } else { Err(Some(due)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CommitLimits = CommitLimits { interval: Duration::from_secs(10), bytes: 1000 };

    /// A moment, in milliseconds.
    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    /// Every situation with what is to be done, 5 s after the start.
    #[test]
    fn each_situation_has_its_decision() {
        let start = Instant::now();
        let t = |ms| at(start, ms);
        let now = t(5000);
        let events = Facts { since: Some(start), bytes: 10, ..Facts::default() };
        let lack = |since, looked| Some(Lack { since: t(since), looked: t(looked) });
        let cases = [
            ("nothing was read: it waits for something", Facts::default(), Decision::Wait(None)),
            ("events wait until the oldest is old enough", events, Decision::Wait(Some(t(10_000)))),
            (
                "the interval is over",
                Facts { since: Some(now - LIMITS.interval), ..events },
                Decision::Commit(Why::Interval),
            ),
            ("they hold what they may", Facts { bytes: 1000, ..events }, Decision::Commit(Why::Size)),
            ("memory is short", Facts { pressed: true, ..events }, Decision::Commit(Why::Memory)),
            (
                "memory is short and only the first half of a key change is here",
                Facts { pressed: true, ..Facts::default() },
                Decision::Wait(None),
            ),
            ("it was told to stop", Facts { last: true, ..events }, Decision::Commit(Why::Last)),
            ("it was told to stop with nothing to do", Facts { last: true, ..Facts::default() }, Decision::Wait(None)),
            (
                "messages that change nothing are written down after an hour",
                Facts { ahead: Some(start), ..Facts::default() },
                Decision::Wait(Some(start + PROGRESS_INTERVAL)),
            ),
            (
                "the hour is over",
                Facts { ahead: Some(now - PROGRESS_INTERVAL), ..Facts::default() },
                Decision::Commit(Why::Progress),
            ),
            (
                "or when it was told to stop",
                Facts { ahead: Some(start), last: true, ..Facts::default() },
                Decision::Commit(Why::Progress),
            ),
            (
                "a value that nobody has is looked for again before the commit is due by its interval",
                Facts { lack: lack(0, 0), ..events },
                Decision::Wait(Some(t(10_000))),
            ),
            (
                "a value is lacking, and was just looked for",
                Facts { bytes: 1000, lack: lack(0, 4950), ..events },
                Decision::Hold(Blocker::Lack, t(5050)),
            ),
            (
                "a value is lacking, and it is time to look again",
                Facts { bytes: 1000, lack: lack(0, 4900), ..events },
                Decision::Commit(Why::Size),
            ),
            (
                "a value is lacking and nothing more will come",
                Facts { last: true, lack: lack(0, 4950), ..events },
                Decision::Wait(None),
            ),
            (
                "an attempt failed: nothing else counts until the pause is over",
                Facts { retry: Some(t(5200)), bytes: 1000, last: true, ..events },
                Decision::Hold(Blocker::Backoff, t(5200)),
            ),
            ("the pause is over", Facts { retry: Some(t(5000)), ..events }, Decision::Commit(Why::Retry)),
        ];
        for (situation, facts, expected) in cases {
            assert_eq!(commit_due(&LIMITS, &facts, now), expected, "{situation}");
        }
    }

    #[test]
    fn the_patience_for_a_value_counts_from_when_it_was_first_lacking() {
        let start = Instant::now();
        let first = at(start, 300_000);
        let facts = |now| Facts {
            since: Some(start),
            bytes: 1000,
            lack: Some(Lack { since: first, looked: now }),
            ..Facts::default()
        };
        let now = first + DELETE_PATIENCE / 2;
        assert!(matches!(commit_due(&LIMITS, &facts(now), now), Decision::Hold(Blocker::Lack, _)));
        let now = first + DELETE_PATIENCE;
        assert_eq!(
            commit_due(&LIMITS, &facts(now), now),
            Decision::Commit(Why::Size),
            "the table says what is lacking"
        );
    }
}
