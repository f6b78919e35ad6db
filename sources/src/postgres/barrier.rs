//! Waits until every transaction has ended that might have begun before a table was published: from then on no change of it
//! can be missed by both the stream and a copy.

use std::fmt;

use super::snapshot::snapshot;
use super::{Session, SourceError};

/// What was running when it was raised must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The first transaction that need not.
    until: u64,
}

/// A transaction that is waited for: enough to find it, and nothing of what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Process of the server, or the name of a prepared transaction.
    pub who: String,
    /// The user.
    pub user: String,
    /// How long it has been running, in seconds; 0 also where this user is not told.
    pub seconds: i64,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the user {}", self.who, self.user)?;
        match self.seconds {
            0 => Ok(()),
            seconds => write!(f, ", which has been running for {seconds} s"),
        }
    }
}

impl Barrier {
    /// Raised now: the tables are published, and the slot is there.
    ///
    /// The end of a snapshot (`xmax`) does not do: it is one past the last transaction that has *ended*, and what runs may
    /// come after it. So it takes an id of its own, which is later than all that were given.
    pub async fn raise(session: &Session) -> Result<Self, SourceError> {
        let row = session.query_one("SELECT pg_current_xact_id()::text", &[]).await;
        let text: String = row.map_err(SourceError::statement("take the id of a transaction"))?.get(0);
        match text.parse() {
            Ok(until) => Ok(Self { until }),
            Err(_) => Err(SourceError::Answer { what: "pg_current_xact_id()", text }),
        }
    }

    /// The oldest transaction that it still waits for; `None` once it may be passed.
    pub async fn waits_for(self, session: &Session) -> Result<Option<Running>, SourceError> {
        if snapshot(session).await?.xmin() >= self.until {
            return Ok(None);
        }
        let row = session.query_opt(OLDEST, &[]).await;
        let row = row.map_err(SourceError::statement("read which transactions are running"))?;
        // It ended in between, or belongs to something that does not show: asked again, the answer is there.
        let hidden = || Running { who: "a transaction".to_owned(), user: "(unknown)".to_owned(), seconds: 0 };
        let shown = row.map(|row| Running { who: row.get(0), user: row.get(1), seconds: row.get(2) });
        Ok(Some(shown.unwrap_or_else(hidden)))
    }
}

/// The oldest transaction of the server that has an id. One that is prepared belongs to no process, and how long others' have been
/// running only some users are told.
const OLDEST: &str = "
SELECT who, name, coalesce(extract(epoch FROM clock_timestamp() - since)::bigint, 0) FROM (
    SELECT 'the server process ' || pid AS who, coalesce(usename::text, '(none)') AS name, xact_start AS since,
        age(backend_xid) AS age
    FROM pg_stat_activity WHERE backend_xid IS NOT NULL
    UNION ALL
    SELECT 'the prepared transaction ' || quote_literal(gid), owner::text, prepared, age(transaction)
    FROM pg_prepared_xacts
) AS running
ORDER BY age DESC LIMIT 1";
