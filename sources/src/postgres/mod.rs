//! Postgres: what of it must be right before a connector can run, and what is removed from it afterwards.

mod barrier;
mod broken;
mod catalogue;
mod cleanup;
mod columns;
mod connect;
mod difference;
mod error;
mod facts;
mod failover;
mod finding;
mod judge;
mod names;
mod naming;
mod position;
mod publication;
mod published;
mod range;
#[cfg(feature = "rows")]
mod rows;
mod snapshot;
mod sql;
mod stream;
mod tables;
mod traces;

pub use barrier::{Barrier, Running};
pub use broken::{Break, Stream, broken, misses_changes, renews};
pub use catalogue::{Catalogue, CatalogueColumn, Storage, catalogue};
pub use cleanup::{cleanup, drop_publication, drop_slot};
pub use columns::Column;
pub use connect::{Credentials, Session, connect};
pub use difference::{Difference, Remedy, differences, refusal};
pub use error::SourceError;
pub use facts::{Facts, Role, Server, Slot, facts};
pub use failover::{Failover, failover, is_synced};
pub use finding::{Finding, Severity};
pub use judge::judge;
pub use names::{publication, slot};
pub use naming::Naming;
pub use position::{Position, TICK, TICK_PREFIX, position, tick};
pub use publication::{Change, prepare, publication_changes, publish};
pub use published::{Member, Publication};
pub use range::{KeyValue, Range, RangeColumn};
#[cfg(feature = "rows")]
pub use rows::{Reading, RowReader, Rows, ValueError};
pub use snapshot::{NoSnapshot, Snapshot, snapshot};
pub use sql::identifier;
pub use stream::{Membership, delivered, estimated_rows, membership};
pub use tables::{Identity, Kind, Table, table};
pub use traces::Traces;

use tributary_crds::{CdcReplication, Postgres};

/// Looks at the database and says what stands in the way of the resource, or might. Facts that could not be had because
/// the database cannot be reached are an error, which is a finding too: [`SourceError::finding`].
pub async fn preflight(
    resource: &CdcReplication,
    postgres: &Postgres,
    credentials: &Credentials,
) -> Result<(Facts, Vec<Finding>), SourceError> {
    let session = connect(postgres, credentials).await?;
    let facts = facts(&session, resource).await?;
    let findings = judge(&facts, resource);
    Ok((facts, findings))
}
