//! One thing about the source that somebody should know or must change.

use std::fmt;

/// Whether a finding stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The connector would fail, or the source's own writes would: nothing may be started.
    Error,
    /// It works, with a loss that the message names.
    Warning,
}

/// One thing about the source that somebody should know or must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// One word in `PascalCase` for a condition's reason.
    pub reason: &'static str,
    /// The table as `schema.table`, if it is about one.
    pub table: Option<String>,
    /// What is the case.
    pub message: String,
    /// What to do, with the SQL to run where SQL helps.
    pub advice: String,
}

impl Finding {
    pub(super) fn error(reason: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Error, reason, table: None, message: message.into(), advice: advice.into() }
    }

    pub(super) fn warning(reason: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(reason, message, advice) }
    }

    pub(super) fn of(self, table: &str) -> Self {
        Self { table: Some(table.to_owned()), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.message, self.advice)
    }
}
