//! What the first copies of all tables of this process may take together.

use tokio::sync::Semaphore;

use super::pace::Pace;
use super::room::Room;
use crate::consume::Budget;
use crate::settings::SourceSettings;

/// What first copies may take of the database and of the memory: shared by all tables of a process.
#[derive(Debug)]
pub struct Allowance {
    /// Sessions that read rows.
    pub(super) connections: Semaphore,
    /// Memory, beside buffered messages.
    pub(super) room: Room,
    /// Bytes in a second.
    pub(super) pace: Pace,
}

impl Allowance {
    /// By the settings of a process whose database is read.
    pub fn new(settings: Option<&SourceSettings>, budget: Budget) -> Self {
        let connections = settings.map_or(1, |source| source.connections);
        Self {
            connections: Semaphore::new(connections),
            room: Room::new(budget, connections),
            pace: Pace::new(settings.and_then(|source| source.bytes_per_second)),
        }
    }
}
