//! The database that rows are copied from.

use tributary_crds::{CdcReplication, Postgres};
use tributary_sources::postgres::{self, Credentials, Naming};

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
    /// How events name the columns.
    pub naming: Naming,
}

impl SourceSettings {
    pub(super) fn of(resource: &CdcReplication, secrets: &Secrets) -> Result<Option<Self>, SettingsError> {
        let connections = usize::try_from(resource.spec.replicator.copy.connections).unwrap_or(0);
        let Some(postgres) = resource.spec.source.postgres.as_ref().filter(|_| connections > 0) else {
            return Ok(None);
        };
        let (username, password) = secrets.login("spec.source.postgres.credentials", &postgres.credentials)?;
        Ok(Some(Self {
            postgres: postgres.clone(),
            credentials: Credentials { username, password },
            slot: postgres::slot(resource),
            publication: postgres::publication(resource),
            connections,
            naming: if resource.spec.format.avro.is_some() { Naming::Avro } else { Naming::AsIs },
        }))
    }
}
