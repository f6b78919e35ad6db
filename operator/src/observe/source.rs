//! What is known of the source database, and when it is asked again.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tributary_crds::{CdcReplication, Postgres};
use tributary_sources::postgres::{self, Change, Facts, Finding, Position, Severity};

use super::{SecretError, credentials};
use crate::report::Part;

/// A source that is right is asked again after this time: a table that was dropped and made anew is not in the publication any
/// more, and what happens to it meanwhile is copied later.
const GOOD: Duration = Duration::from_mins(1);
/// The longest wait for one that cannot be reached.
const LONGEST: Duration = Duration::from_mins(5);
/// One that is not is asked sooner, and then less and less often.
const BAD: Duration = Duration::from_secs(10);

/// What is known of the source of one resource.
#[derive(Debug, Default)]
pub struct SourceSeen {
    answer: Option<Answer>,
    failures: u32,
    /// As far as its log was when that was furthest.
    furthest: Option<Position>,
    /// It was not as far later.
    went_back: bool,
}

/// What a look at the source came to.
#[derive(Debug)]
pub struct Look<'a> {
    /// What was found when it was last asked.
    pub findings: &'a [Finding],
    /// What this look changed about the publication.
    pub changed: Option<String>,
}

#[derive(Debug)]
struct Answer {
    /// For which generation and version of the Secret.
    of: (Option<i64>, String),
    at: Timestamp,
    facts: Option<Facts>,
    findings: Vec<Finding>,
}

impl SourceSeen {
    /// Asks the source, if it is due, and makes its publication what the resource needs.
    pub async fn look(
        &mut self,
        client: &Client,
        resource: &CdcReplication,
        postgres: &Postgres,
        secret_version: &str,
    ) -> Look<'_> {
        let now = Timestamp::now();
        let of = (resource.metadata.generation, secret_version.to_owned());
        let mut changed = None;
        if self.wait(&of, now).is_zero() {
            let (facts, findings, changes) = ask(client, resource, postgres).await;
            changed = described(&changes);
            let bad = findings.iter().any(|finding| finding.severity == Severity::Error);
            let same = self.answer.as_ref().is_some_and(|answer| answer.of == of);
            self.failures = if !bad {
                0
            } else if same {
                self.failures.saturating_add(1)
            } else {
                1
            };
            if let Some(position) = facts.as_ref().and_then(|facts| facts.position) {
                self.is_at(position);
            }
            self.answer = Some(Answer { of, at: now, facts, findings });
        }
        Look { findings: self.findings().unwrap_or_default(), changed }
    }

    fn is_at(&mut self, position: Position) {
        let server = |position: &Position| (position.system, position.timeline);
        match self.furthest.filter(|furthest| server(furthest) == server(&position)) {
            Some(furthest) if position.lsn < furthest.lsn => self.went_back = true,
            _ => self.furthest = Some(position),
        }
    }

    /// Whether the log of the server, as this process has seen it, is not as far as it was.
    pub fn went_back(&self) -> bool {
        self.went_back
    }

    /// What was found when it was last asked.
    pub fn findings(&self) -> Option<&[Finding]> {
        self.answer.as_ref().map(|answer| answer.findings.as_slice())
    }

    /// The facts of the last look; `None` when the source could not be asked.
    pub fn facts(&self) -> Option<&Facts> {
        self.answer.as_ref().and_then(|answer| answer.facts.as_ref())
    }

    /// Until the source is asked again.
    pub fn due_in(&self, now: Timestamp) -> Duration {
        self.answer.as_ref().map_or(Duration::ZERO, |answer| self.wait(&answer.of, now))
    }

    fn wait(&self, of: &(Option<i64>, String), now: Timestamp) -> Duration {
        let Some(answer) = self.answer.as_ref().filter(|answer| answer.of == *of) else { return Duration::ZERO };
        // What is wrong with one table must not keep the others waiting.
        let longest = if answer.facts.is_some() { GOOD } else { LONGEST };
        let patience = match self.failures {
            0 => GOOD,
            failures => BAD.saturating_mul(2_u32.saturating_pow(failures.min(16) - 1)).min(longest),
        };
        let since = Duration::try_from(now.duration_since(answer.at)).unwrap_or_default();
        patience.saturating_sub(since)
    }

    /// Whether the publication was there when the source was last asked.
    pub fn is_published(&self) -> bool {
        self.facts().is_some_and(|facts| facts.publication.is_some())
    }

    /// Whether the slot is read for another resource of the same name.
    pub fn is_taken(&self) -> bool {
        self.findings().is_some_and(|findings| findings.iter().any(|finding| finding.reason == "SlotInUse"))
    }
}

/// The tables that joined the publication, and those that left it.
fn described(changes: &[Change]) -> Option<String> {
    let texts = changes.iter().filter_map(|change| match change {
        Change::Add(tables) => Some(format!("added to the publication: {}", tables.join(", "))),
        Change::Drop(tables) => Some(format!("removed from the publication: {}", tables.join(", "))),
        Change::DropSchemas(schemas) => Some(format!("removed from the publication: schemas {}", schemas.join(", "))),
        Change::Options => Some("the publication's options were mended".to_owned()),
        Change::Create | Change::Claim { .. } => None,
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Asks the source; that it cannot be asked is a finding too.
async fn ask(
    client: &Client,
    resource: &CdcReplication,
    postgres: &Postgres,
) -> (Option<Facts>, Vec<Finding>, Vec<Change>) {
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let credentials = match credentials(client, namespace, postgres).await {
        Ok(credentials) => credentials,
        Err(error) => return (None, vec![unusable(&error)], Vec::new()),
    };
    match postgres::prepare(resource, postgres, &credentials).await {
        Ok((facts, findings, changes)) => (Some(facts), findings, changes),
        Err(error) => (None, vec![error.finding()], Vec::new()),
    }
}

fn unusable(error: &SecretError) -> Finding {
    Finding {
        severity: Severity::Error,
        reason: "SecretUnusable",
        table: None,
        message: crate::log::described(error),
        advice: "It is named in spec.source.postgres.credentials and needs the keys username and password.".to_owned(),
    }
}

/// How the source stands, by what was found.
pub fn judged(findings: &[Finding]) -> Part {
    let texts = |severity: Severity| {
        let of = findings.iter().filter(move |finding| finding.severity == severity);
        of.map(ToString::to_string).collect::<Vec<_>>()
    };
    let first = findings.iter().find(|finding| finding.severity == Severity::Error);
    if let Some(first) = first {
        return Part::bad(first.reason, texts(Severity::Error).join(" "));
    }
    match texts(Severity::Warning) {
        warnings if warnings.is_empty() => Part::good("PreflightPassed", "the source has all that the connector needs"),
        warnings => Part::good("PreflightPassedWithWarnings", warnings.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Standing;

    fn finding(severity: Severity, reason: &'static str) -> Finding {
        Finding { severity, reason, table: None, message: reason.to_owned(), advice: "Do it.".to_owned() }
    }

    fn seen(failures: u32) -> SourceSeen {
        let answer = Answer { of: (Some(1), "7".into()), at: Timestamp::UNIX_EPOCH, facts: None, findings: Vec::new() };
        SourceSeen { answer: Some(answer), failures, ..SourceSeen::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_good_source_is_asked_every_minute_and_a_bad_one_less_and_less_often() {
        let of = (Some(1), "7".to_owned());
        let waits = [0, 1, 2, 3, 6, 1000].map(|failures| seen(failures).wait(&of, at(0)).as_secs());
        assert_eq!(waits, [60, 10, 20, 40, 300, 300]);
        assert_eq!(seen(0).wait(&of, at(59)).as_secs(), 1);
        assert!(seen(0).wait(&of, at(61)).is_zero());
    }

    #[test]
    fn a_log_that_is_not_as_far_as_it_was_went_back_unless_it_is_another_servers() {
        let at = |timeline, lsn: u64| Position { system: 7, timeline, lsn: lsn.into() };
        let mut seen = SourceSeen::default();
        for (position, expected) in [(at(1, 50), false), (at(1, 60), false), (at(2, 40), false), (at(2, 39), true)] {
            seen.is_at(position);
            assert_eq!(seen.went_back(), expected, "{position}");
        }
        seen.is_at(at(2, 80));
        assert!(seen.went_back(), "it is so until the stream is begun anew");
    }

    #[test]
    fn another_spec_or_secret_is_asked_for_at_once() {
        assert!(seen(0).wait(&(Some(2), "7".to_owned()), at(0)).is_zero());
        assert!(seen(0).wait(&(Some(1), "8".to_owned()), at(0)).is_zero());
        assert!(SourceSeen::default().due_in(at(0)).is_zero());
    }

    #[test]
    fn one_error_makes_the_source_unready_and_warnings_do_not() {
        let findings = [finding(Severity::Warning, "ToastedColumns"), finding(Severity::Error, "WalLevel")];
        let part = judged(&findings);
        assert_eq!((part.standing, part.reason.as_str()), (Standing::Bad, "WalLevel"));
        assert_eq!(part.message, "WalLevel. Do it.");
        let part = judged(&findings[..1]);
        assert_eq!((part.standing, part.message.as_str()), (Standing::Good, "ToastedColumns. Do it."));
        assert_eq!(judged(&[]).reason, "PreflightPassed");
    }
}
