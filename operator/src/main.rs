//! The `operator` command.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tributary_operator::log::{self, LogFormat};
use tributary_operator::run::{Ended, run};
use tributary_operator::settings::Settings;

/// Looks after CdcReplication resources.
#[derive(Parser)]
#[command(name = "operator", version, about)]
struct Command {
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t, env = "TRIBUTARY_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Looks after CdcReplication resources until SIGTERM.
    Run(Settings),
}

fn main() -> ExitCode {
    // Several TLS providers may be linked in, and then none would be chosen by itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = Command::parse();
    log::start(command.log_format);
    match start(command.action) {
        Ok(Ended::Stopped) => ExitCode::SUCCESS,
        // Whoever leads now must not find us still at work: only the end of the process is certain.
        Ok(Ended::LeaseLost | Ended::Broken) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", log::described(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn start(action: Action) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let Action::Run(settings) = action;
    let ended = runtime.block_on(run(settings))?;
    // What was abandoned must not keep the process.
    runtime.shutdown_background();
    Ok(ended)
}
