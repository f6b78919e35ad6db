//! Which server this is, and how far its log is.

use std::fmt;

use tokio_postgres::types::PgLsn;

use super::{Session, SourceError};

/// A place in the log of a server, and which server that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Made with the server's data directory, and kept by its standbys: a restore from a dump has another one.
    pub system: u64,
    /// Goes up with each promotion and each restore to a point in time.
    pub timeline: u32,
    /// Where the next record will be: everything that has committed is before it.
    pub lsn: PgLsn,
}

impl fmt::Display for Position {
    /// `7432/1/0/16B3748`: system, timeline, LSN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.system, self.timeline, self.lsn)
    }
}

/// The position of this moment.
pub async fn position(session: &Session) -> Result<Position, SourceError> {
    // The name of a file of the log begins with its timeline; the control file knows a new one only after a checkpoint.
    let query = "SELECT (SELECT system_identifier FROM pg_control_system()),
            ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint, pg_current_wal_insert_lsn()";
    let row = session.query_one(query, &[]).await.map_err(SourceError::statement("read the server's position"))?;
    let (system, timeline): (i64, i64) = (row.get(0), row.get(1));
    // The system's identifier is one of 64 bits without a sign.
    Ok(Position { system: system.cast_unsigned(), timeline: timeline as u32, lsn: row.get(2) })
}

/// Writes a tick into the log: a transaction of its own, which travels through the connector like a row, in its order. It
/// changes no table, and everybody may do it.
pub const TICK: &str = "SELECT pg_logical_emit_message(true, 'tributary', '')";
/// Tells ticks from the messages that applications write into the log.
pub const TICK_PREFIX: &str = "tributary";

/// Writes a [`TICK`]. Where it is.
pub async fn tick(session: &Session) -> Result<PgLsn, SourceError> {
    let row = session.query_one(TICK, &[]).await;
    Ok(row.map_err(SourceError::statement("write a message into the log"))?.get(0))
}
