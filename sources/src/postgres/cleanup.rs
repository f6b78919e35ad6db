//! What is removed from the source with a resource: slot and publication. All of it can be done again.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tributary_crds::{CdcReplication, Postgres};

use super::facts::server;
use super::names::{is_managed, publication, slot};
use super::published::read_publication;
use super::{Credentials, Session, SourceError, connect, sql};

/// A sender that was told to end may be in the middle of a large transaction.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// Drops the resource's slot and publication, as far as they are there and are its own: those that another resource has taken
/// over stay, with their reader, and so does a publication that somebody else keeps. The connector must be gone: it would come
/// back to its slot.
pub async fn cleanup(
    resource: &CdcReplication,
    postgres: &Postgres,
    credentials: &Credentials,
) -> Result<(), SourceError> {
    let session = connect(postgres, credentials).await?;
    if !is_managed(resource) {
        return drop_slot(&session, &slot(resource)).await;
    }
    let version = server(&session).await?.version;
    let (name, uid) = (publication(resource), resource.metadata.uid.as_deref());
    let existing = read_publication(&session, version, &name).await?;
    if existing.is_some_and(|publication| publication.claimed_by_other(uid).is_some()) {
        return Ok(());
    }
    drop_slot(&session, &slot(resource)).await?;
    drop_publication(&session, &name).await
}

/// Ends whoever reads from the slot, and drops it.
pub async fn drop_slot(session: &Session, name: &str) -> Result<(), SourceError> {
    let deadline = Instant::now() + PATIENCE;
    while let Some(reader) = reader(session, name).await? {
        if let Some(pid) = reader {
            if Instant::now() >= deadline {
                return Err(SourceError::SlotInUse { slot: name.to_owned(), pid });
            }
            end(session, pid).await?;
        } else if try_drop(session, name).await? {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Drops the publication.
pub async fn drop_publication(session: &Session, name: &str) -> Result<(), SourceError> {
    let statement = format!("DROP PUBLICATION IF EXISTS {}", sql::identifier(name));
    session.batch_execute(&statement).await.map_err(SourceError::statement(format!("drop the publication {name}")))
}

/// The slot's reader, if it has one; `None` when there is no slot.
async fn reader(session: &Session, name: &str) -> Result<Option<Option<i32>>, SourceError> {
    let query = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1";
    let row = session.query_opt(query, &[&name]).await.map_err(SourceError::statement("read the replication slots"))?;
    Ok(row.map(|row| row.get(0)))
}

async fn end(session: &Session, pid: i32) -> Result<(), SourceError> {
    let ended = session.execute("SELECT pg_terminate_backend($1)", &[&pid]).await;
    ended.map(drop).map_err(SourceError::statement(format!("end the server process {pid}, which reads from the slot")))
}

/// Whether the slot is gone; not when somebody took it in between.
async fn try_drop(session: &Session, name: &str) -> Result<bool, SourceError> {
    match session.execute("SELECT pg_drop_replication_slot($1)", &[&name]).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => Ok(false),
        Err(error) => Err(SourceError::statement(format!("drop the replication slot {name}"))(error)),
    }
}
