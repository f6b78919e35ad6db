//! Where in the write-ahead log of the source an event stands.

use std::fmt;

/// Position of an event of Postgres: the commit before it and its own log sequence number, in the order in which
/// Debezium delivers (`source.sequence`, facts/debezium.md D3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// LSN of the last commit that was seen before this event; 0 where the event carries none.
    pub commit_lsn: u64,
    /// LSN of the change itself.
    pub lsn: u64,
}

impl fmt::Display for Position {
    /// As Postgres writes it: `0/16B3748`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.lsn >> 32, self.lsn & 0xFFFF_FFFF)
    }
}
