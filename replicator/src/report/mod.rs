//! Metrics, health, the state of each table, the resource's status.

mod address;
mod board;
mod delivered;
mod describe;
mod http;
mod lag;
mod log;
mod metrics;
mod process;
mod resource;
mod restart;
mod resync;
mod state;
mod stats;
mod status;
mod summary;
mod table_state;

pub use address::address;
pub use board::{Board, TableHandle};
pub use describe::describe;
pub use http::{ListenError, listen, serve};
pub use log::{LogFormat, start_logging};
pub use resource::{ResourceName, ResourceNameError, report_to};
pub use restart::{RestartError, Restarts, restart};
pub use resync::Resyncs;
pub use state::CommitReport;
pub use status::{StatusError, fetch, render};
pub use table_state::TableState;
