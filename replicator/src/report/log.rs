//! Where log lines go and how they look.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Libraries that say more than an operator wants to know; ours is everything else. Those of Delta log each error that
/// they return, also those that are none, such as a table that is not there yet; we say what becomes of it.
const QUIET: &str = "info,kafka=warn,rdkafka=warn,librdkafka=warn,buoyant_kernel=off,buoyant_kernel_engine=off,\
                     object_store=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn,tower=warn";

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

/// Sends log lines to stderr from now on, also that of a panic, which says where and not what: its words may hold values of
/// rows. `RUST_LOG` chooses what is logged.
pub fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format.is_json(terminal) {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        lines.with_ansi(terminal).with_target(false).init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        error!(place, thread = thread.name(), "internal error: panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
