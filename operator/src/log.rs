//! Where log lines go and how they look.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// Libraries that say more than an operator wants to know; ours is everything else. The lease's manager logs each
/// failed renewal as an error; we say what becomes of it.
const QUIET: &str = "info,kube=warn,kube_client=warn,kube_runtime=warn,kube_lease_manager=off,hyper=warn,\
                     hyper_util=warn,rustls=warn,tower=warn,librdkafka=warn,rdkafka=warn,tokio_postgres=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
}

impl LogFormat {
    fn is_json(self, terminal: bool) -> bool {
        match self {
            Self::Text => false,
            Self::Json => true,
            Self::Auto => !terminal,
        }
    }
}

/// Sends log lines to stderr from now on. `RUST_LOG` chooses what is logged.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format.is_json(terminal) {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        lines.with_ansi(terminal).with_target(false).init();
    }
}

/// An error with its sources, from the outside in, without what a source repeats.
pub fn described(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn people_get_text_and_machines_json() {
        assert!(!LogFormat::Auto.is_json(true));
        assert!(LogFormat::Auto.is_json(false));
        assert!(LogFormat::Json.is_json(true));
        assert!(!LogFormat::Text.is_json(false));
    }

    #[test]
    fn the_default_filter_is_valid() {
        assert!(EnvFilter::builder().parse(QUIET).is_ok());
    }

    #[test]
    fn an_error_is_described_with_its_cause() {
        assert_eq!(described(&Outer(std::io::Error::other("disk full"))), "cannot write: disk full");
    }
}
