//! The database that rows are copied from.

use tributary_crds::{CdcReplication, Postgres};
use tributary_sources::postgres::{self, Credentials};

use super::{Secrets, SettingsError};

/// The database that rows are copied from, beside the stream of its changes.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// How it is reached.
    pub postgres: Postgres,
    /// The user that the connector is as well.
    pub credentials: Credentials,
    /// The connector's replication slot.
    pub slot: String,
    /// The publication of the tables.
    pub publication: String,
    /// Sessions that read rows at the same time.
    pub connections: usize,
}

impl SourceSettings {
    pub(super) fn of(resource: &CdcReplication, secrets: &Secrets) -> Result<Option<Self>, SettingsError> {
        let Some(postgres) = &resource.spec.source.postgres else { return Ok(None) };
        let (username, password) = secrets.login("spec.source.postgres.credentials", &postgres.credentials)?;
        Ok(Some(Self {
            postgres: postgres.clone(),
            credentials: Credentials { username, password },
            slot: postgres::slot(resource),
            publication: postgres::publication(resource),
            connections: usize::try_from(resource.spec.replicator.copy.connections).unwrap_or(1).max(1),
        }))
    }
}
