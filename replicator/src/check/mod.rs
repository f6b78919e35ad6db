//! `replicator check`: is everything that the resource points at there, and can it be used?

mod kafka;
mod registry;
mod source;
mod storage;
mod tables;
mod targets;

#[cfg(test)]
mod tests;

use std::{error::Error, fmt, path::Path};

use crate::report::describe;
use crate::settings::{self, Secrets, Settings, SettingsError, Shard};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    /// What was looked at, such as `kafka 127.0.0.1:9092`.
    pub what: String,
    /// What was found.
    pub found: Finding,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It can be used; with a detail worth knowing.
    Ok(String),
    /// It can be used, but somebody should know this.
    Warning {
        /// What is noteworthy.
        wrong: String,
        /// What to do about it, if anything.
        fix: Option<String>,
    },
    /// It cannot be used.
    Problem {
        /// What is wrong.
        wrong: String,
        /// What to do about it.
        fix: Option<String>,
    },
}

impl CheckLine {
    fn new(what: impl Into<String>, found: Finding) -> Self {
        Self { what: what.into(), found }
    }

    /// Whether a run would not work.
    pub const fn is_problem(&self) -> bool {
        matches!(self.found, Finding::Problem { .. })
    }
}

impl Finding {
    fn problem(wrong: impl Into<String>, fix: &str) -> Self {
        Self::Problem { wrong: wrong.into(), fix: Some(fix.to_owned()) }
    }

    fn warning(wrong: impl Into<String>, fix: &str) -> Self {
        Self::Warning { wrong: wrong.into(), fix: Some(fix.to_owned()) }
    }

    fn from_warning(text: &str) -> Self {
        let (wrong, fix) = advice(text);
        Self::Warning { wrong, fix }
    }

    fn from_error(error: &(dyn Error + 'static)) -> Self {
        let (wrong, fix) = advice(&error.to_string());
        let wrong = match error.source() {
            Some(source) => format!("{wrong}: {}", innermost(source)),
            None => wrong,
        };
        Self::Problem { wrong, fix }
    }
}

/// Splits a text of this project: what is wrong ends with the first sentence, what to do follows.
fn advice(text: &str) -> (String, Option<String>) {
    match text.split_once(". ") {
        Some((wrong, fix)) => (wrong.to_owned(), Some(fix.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// The first cause: what says most in few words.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

impl fmt::Display for CheckLine {
    /// `ok   kafka 127.0.0.1:9092 (1 broker)`, or `FAIL …` with the fix on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        let (word, wrong, fix) = match &self.found {
            Finding::Ok(detail) if detail.is_empty() => return write!(f, "ok   {what}"),
            Finding::Ok(detail) => return write!(f, "ok   {what} ({detail})"),
            Finding::Warning { wrong, fix } => ("warn", wrong, fix),
            Finding::Problem { wrong, fix } => ("FAIL", wrong, fix),
        };
        write!(f, "{word} {what}: {}", wrong.replace('\n', "\n     "))?;
        fix.as_ref().map_or(Ok(()), |fix| write!(f, "\n     fix: {fix}"))
    }
}

/// Checks the document of a file, and with its Secrets all that it points at.
pub async fn file(path: &Path, secrets: &Secrets, shard: Shard) -> Vec<CheckLine> {
    let what = format!("document {}", path.display());
    let resource = match settings::read(path) {
        Ok(resource) => resource,
        // The error's own list has a fix for each of its lines.
        Err(error) => return vec![CheckLine::new(what, Finding::Problem { wrong: describe(&error), fix: None })],
    };
    let tables = resource.spec.tables.len();
    let mut lines = vec![CheckLine::new(what, Finding::Ok(format!("{tables} {}", plural(tables, "table"))))];
    match Settings::resolve(&resource, secrets, shard) {
        Ok(settings) => {
            if let Some(source) = &settings.source {
                lines.extend(source::check(&resource, source).await);
            }
            lines.extend(check(&settings).await);
        }
        Err(error) => {
            lines.push(CheckLine::new(subject(&error), Finding::Problem { wrong: describe(&error), fix: None }));
        }
    }
    lines
}

/// What the settings lack.
fn subject(error: &SettingsError) -> &'static str {
    match error {
        SettingsError::NoBrokers => "kafka",
        SettingsError::NoSecrets { .. }
        | SettingsError::NoSecret { .. }
        | SettingsError::UnreadableSecret { .. }
        | SettingsError::BadSecret { .. } => "secrets",
        SettingsError::Unreadable { .. }
        | SettingsError::Document { .. }
        | SettingsError::UnknownTable { .. }
        | SettingsError::Url { .. } => "document",
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Looks at everything that the settings name: brokers, topics, messages, registry, storage. Changes nothing, except
/// that an object is written to the destination and removed again.
pub async fn check(settings: &Settings) -> Vec<CheckLine> {
    let (kafka, registry, storage) =
        tokio::join!(kafka::check(settings), registry::check(&settings.format), storage::check(&settings.storage));
    let mut lines = kafka.lines;
    lines.extend(registry);
    lines.extend(tables::check(&settings.format, kafka.samples).await);
    let reachable = !storage.is_problem();
    lines.push(storage);
    if reachable {
        lines.extend(targets::check(settings).await);
    }
    lines
}
