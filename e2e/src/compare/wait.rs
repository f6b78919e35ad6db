//! Waits until tables are equal, without comparing them more often than they change.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::{CompareError, Oracle, TablePair, Verdict, equal, postgres};
use crate::oracle::OracleError;

/// How often the cheap signal (versions and row counts from the Delta logs) is asked for.
const POLL: Duration = Duration::from_millis(250);

/// Waits until all tables are equal, or `timeout` has passed; then the error says what is still different.
///
/// While the number of rows differs, nothing more is read. When it does not, a full comparison follows each new version of
/// a table: at most one for each state that the tables are in. A table that is not there yet is waited for.
pub async fn wait_until_equal(
    pg: &Client,
    oracle: &Oracle,
    tables: &[TablePair],
    timeout: Duration,
) -> Result<Verdict, CompareError> {
    let deadline = Instant::now() + timeout;
    let mut compared = None;
    loop {
        let late = Instant::now() >= deadline;
        match versions_with_equal_counts(pg, oracle, tables).await {
            Ok(versions) if late || (versions.is_some() && versions != compared) => {
                match equal(pg, oracle, tables).await {
                    Err(CompareError::Different(_)) if !late => compared = versions,
                    result => return result,
                }
            }
            Err(CompareError::Oracle(OracleError::Table { .. } | OracleError::Copy { .. })) if !late => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        sleep(POLL).await;
    }
}

/// The Delta tables' versions, if every one has as many rows as its source.
async fn versions_with_equal_counts(
    pg: &Client,
    oracle: &Oracle,
    tables: &[TablePair],
) -> Result<Option<Vec<i64>>, CompareError> {
    let mut versions = Vec::with_capacity(tables.len());
    for pair in tables {
        let (version, rows) = oracle.count(pair.target()).await?;
        let query = format!("SELECT count(*) FROM {}", pair.source());
        let row = pg.query_one(&query, &[]).await.map_err(|e| postgres::failed(pair.source(), e))?;
        if u64::try_from(row.get::<_, i64>(0)).ok() != Some(rows) {
            return Ok(None);
        }
        versions.push(version);
    }
    Ok(Some(versions))
}
