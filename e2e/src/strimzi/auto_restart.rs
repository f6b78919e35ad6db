//! When a failed connector is restarted without being asked: at once, and then after longer and longer pauses.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::resource::{Resource, View};

/// How often a connector was restarted, and when last: `status.autoRestart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AutoRestart {
    pub(super) count: u32,
    pub(super) last: Timestamp,
}

/// What `spec.autoRestart` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enabled: bool,
    /// None is no limit.
    pub(super) max_restarts: Option<u32>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) restart: bool,
    /// What the status says from now on.
    pub(super) state: Option<AutoRestart>,
}

impl Policy {
    pub(super) fn of(connector: &Resource) -> Self {
        Self {
            enabled: connector.at("/spec/autoRestart/enabled").as_bool().unwrap_or(false),
            max_restarts: connector.at("/spec/autoRestart/maxRestarts").as_u64().and_then(|max| max.try_into().ok()),
        }
    }

    /// `minute` is Strimzi's unit of the pauses: n² + n minutes after the n-th restart, at most an hour.
    pub(super) fn decide(
        self,
        previous: Option<AutoRestart>,
        has_failed: bool,
        now: Timestamp,
        minute: Duration,
    ) -> Decision {
        if !self.enabled {
            return Decision { restart: false, state: None };
        }
        let Some(previous) = previous else {
            let state = has_failed.then_some(AutoRestart { count: 1, last: now });
            return Decision { restart: has_failed && self.max_restarts != Some(0), state };
        };
        let pause = minute * (previous.count.saturating_pow(2) + previous.count).min(60);
        let is_over = now.duration_since(previous.last).unsigned_abs() >= pause;
        let may = self.max_restarts.is_none_or(|max| previous.count < max);
        match (has_failed, is_over) {
            (true, true) if may => {
                let state = AutoRestart { count: previous.count + 1, last: now };
                Decision { restart: true, state: Some(state) }
            }
            // It has run for as long as the next pause would be: all is forgotten.
            (false, true) => Decision { restart: false, state: None },
            _ => Decision { restart: false, state: Some(previous) },
        }
    }
}

impl AutoRestart {
    /// As an earlier status has it.
    pub(super) fn recorded(connector: &Resource) -> Option<Self> {
        let recorded: &Value = connector.at("/status/autoRestart");
        let count = recorded["count"].as_u64()?.try_into().ok()?;
        Some(Self { count, last: recorded["lastRestartTimestamp"].as_str()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn policy(max_restarts: Option<u32>) -> Policy {
        Policy { enabled: true, max_restarts }
    }

    #[test]
    fn the_first_restart_comes_at_once_and_the_second_after_two_minutes() {
        let first = policy(None).decide(None, true, at(0), MINUTE);
        assert_eq!(first, Decision { restart: true, state: Some(AutoRestart { count: 1, last: at(0) }) });
        let early = policy(None).decide(first.state.clone(), true, at(119), MINUTE);
        assert_eq!(early, Decision { restart: false, state: first.state.clone() });
        let second = policy(None).decide(first.state, true, at(120), MINUTE);
        assert_eq!(second, Decision { restart: true, state: Some(AutoRestart { count: 2, last: at(120) }) });
    }

    #[test]
    fn there_are_no_more_restarts_than_the_policy_allows() {
        let worn = Some(AutoRestart { count: 2, last: at(0) });
        assert!(!policy(Some(2)).decide(worn, true, at(9999), MINUTE).restart);
        let off = Policy { enabled: false, max_restarts: None };
        assert_eq!(off.decide(None, true, at(0), MINUTE), Decision { restart: false, state: None });
    }

    #[test]
    fn a_connector_that_runs_long_enough_starts_to_count_anew() {
        let restarted = Some(AutoRestart { count: 1, last: at(0) });
        assert_eq!(policy(None).decide(restarted.clone(), false, at(60), MINUTE).state, restarted);
        assert_eq!(policy(None).decide(restarted, false, at(121), MINUTE).state, None);
    }
}
