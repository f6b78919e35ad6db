//! The database that rows are copied from.

use tributary_crds::{CdcReplication, Postgres, Quantity};
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
    /// Bytes of rows that they may read in a second, together.
    pub bytes_per_second: Option<u64>,
    /// How events name the columns.
    pub naming: Naming,
}

impl SourceSettings {
    pub(super) fn of(resource: &CdcReplication, secrets: &Secrets) -> Result<Option<Self>, SettingsError> {
        let copy = &resource.spec.replicator.copy;
        let connections = usize::try_from(copy.connections).unwrap_or(0);
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
            bytes_per_second: copy.max_bytes_per_second.as_ref().map(Quantity::bytes),
            naming: if resource.spec.format.avro.is_some() { Naming::Avro } else { Naming::AsIs },
        }))
    }
}
