//! Which transactions a snapshot contains. No LSN says it: a commit that waits for a standby is in the log and decoded, and no
//! snapshot sees it. So the question is put by transaction, as the server itself does.

use std::fmt;
use std::str::FromStr;

use super::{Session, SourceError};

/// A snapshot of the database: `pg_current_snapshot()`, which counts transactions with 64 bits.
///
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The oldest transaction that was running: what is older has ended.
    xmin: u64,
    /// The first that had not begun.
    xmax: u64,
    /// Those that were running, ascending: top-level ones, as in the events of pgoutput.
    running: Vec<u64>,
}

impl Snapshot {
    /// Whether it contains what a committed transaction did. `transaction` are the 32 bits that an event has
    /// (`source.txId`); it began not more than 2³¹ transactions before or after the snapshot.
    pub fn contains(&self, transaction: u32) -> bool {
        let distance = transaction.wrapping_sub(self.xmax as u32).cast_signed();
        let Some(transaction) = self.xmax.checked_add_signed(distance.into()) else { return false };
        transaction < self.xmin || (transaction < self.xmax && self.running.binary_search(&transaction).is_err())
    }

    /// The oldest transaction that was running.
    pub fn xmin(&self) -> u64 {
        self.xmin
    }

    /// The first transaction that had not begun.
    pub fn xmax(&self) -> u64 {
        self.xmax
    }
}

/// A text that is no snapshot.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a snapshot of Postgres, which looks like 10:20:10,14,15")]
pub struct NoSnapshot(String);

impl FromStr for Snapshot {
    type Err = NoSnapshot;

    fn from_str(text: &str) -> Result<Self, NoSnapshot> {
        let parsed = || {
            let (xmin, rest) = text.split_once(':')?;
            let (xmax, running) = rest.split_once(':')?;
            let running = running.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().ok());
            let mut running: Vec<u64> = running.collect::<Option<_>>()?;
            running.sort_unstable();
            Some(Self { xmin: xmin.parse().ok()?, xmax: xmax.parse().ok()?, running })
        };
        parsed().ok_or_else(|| NoSnapshot(text.to_owned()))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (number, running) in self.running.iter().enumerate() {
            write!(f, "{}{running}", if number == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The snapshot of this moment; in a transaction with `REPEATABLE READ` that of all its statements.
pub async fn snapshot(session: &Session) -> Result<Snapshot, SourceError> {
    let row = session.query_one("SELECT pg_current_snapshot()::text", &[]).await;
    let text: String = row.map_err(SourceError::statement("read the snapshot"))?.get(0);
    text.parse().map_err(|NoSnapshot(text)| SourceError::Answer { what: "pg_current_snapshot()", text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().unwrap()
    }

    #[test]
    fn what_ended_before_the_snapshot_is_in_it_and_nothing_else() {
        let snapshot = snapshot("100:110:103,100");
        let seen: Vec<u32> = (98..113).filter(|transaction| snapshot.contains(*transaction)).collect();
        assert_eq!(seen, [98, 99, 101, 102, 104, 105, 106, 107, 108, 109]);
    }

    #[test]
    fn transactions_are_compared_around_the_point_where_32_bits_begin_again() {
        let around = (7_u64 << 32) + 2;
        let snapshot = snapshot(&format!("{}:{around}:{}", around - 4, around - 4));
        for (transaction, contained) in [
            (u32::MAX - 2, true),
            (u32::MAX - 1, false),
            (u32::MAX, true),
            (0, true),
            (1, true),
            (2, false),
            (3, false),
        ] {
            assert_eq!(snapshot.contains(transaction), contained, "{transaction}");
        }
    }

    #[test]
    fn what_cannot_have_been_before_the_first_transaction_is_not_in_it() {
        assert!(!snapshot("5:5:").contains(u32::MAX));
    }

    #[test]
    fn a_snapshot_is_read_as_it_is_written() {
        for text in ["3:3:", "10:20:10,14,15"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "10", "10:20", "a:20:", "10:20:x"] {
            assert_eq!(text.parse::<Snapshot>(), Err(NoSnapshot(text.to_owned())));
        }
    }
}
