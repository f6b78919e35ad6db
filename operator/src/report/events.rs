//! Events: what changed since the last pass. A resource that stands as it stood has none.

use super::conditions::{Said, shortened};
use super::{Part, Standing};

/// The API server takes 1,024 characters.
const LONGEST_NOTE: usize = 1_000;

/// An event that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should look.
    pub warning: bool,
    /// One word in `PascalCase`.
    pub reason: String,
    /// One sentence.
    pub note: String,
}

impl Notice {
    /// An event that somebody should look at.
    pub fn warning(reason: impl Into<String>, note: &str) -> Self {
        Self { warning: true, reason: reason.into(), note: shortened(note, LONGEST_NOTE) }
    }

    /// An event for the record.
    pub fn normal(reason: impl Into<String>, note: &str) -> Self {
        Self { warning: false, reason: reason.into(), note: shortened(note, LONGEST_NOTE) }
    }
}

/// The events of a pass: conditions whose status flipped, and those that need somebody for another reason than before.
///
/// The summary repeats what a part says, so only its turning good, and what no part says, is an event of its own.
pub fn notices(said: &Said) -> Vec<Notice> {
    let mut notices: Vec<Notice> = Vec::new();
    let (summary, parts): (Vec<_>, Vec<_>) = said.parts().partition(|(type_, _)| *type_ == "Ready");
    for (type_, part) in parts.into_iter().chain(summary) {
        let notice = notice(type_, part);
        if is_news(said, type_, part) && !notices.iter().any(|other| other.note == notice.note) {
            notices.push(notice);
        }
    }
    notices
}

fn is_news(said: &Said, type_: &str, part: &Part) -> bool {
    let Some(earlier) = said.earlier(type_) else {
        // A new resource is being made in all its parts; that alone is not news.
        return matches!(part.standing, Standing::Bad | Standing::Good);
    };
    let flipped = earlier.status != part.status();
    let other_reason = earlier.reason != part.reason;
    match part.standing {
        Standing::Bad => flipped || other_reason,
        Standing::Good | Standing::Unknown => flipped,
        Standing::Resting => other_reason,
        Standing::Working => flipped && earlier.status == "True",
    }
}

fn notice(type_: &str, part: &Part) -> Notice {
    // `PodsReady` says enough; `Ready` alone would not say of what.
    let reason = if part.reason == "Ready" { type_ } else { &part.reason };
    match part.standing {
        Standing::Bad => Notice::warning(reason, &part.message),
        _ => Notice::normal(reason, &part.message),
    }
}
