//! `replicator maintain`: one table is compacted, checkpointed, cleaned and vacuumed now, whatever is due.

use std::path::Path;

use jiff::Timestamp;

use crate::settings::{self, Secrets, Settings, SettingsError, Shard};
use crate::table::{KeyedTable, Maintained, TableError};

/// Why a table could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    /// The document, or what it refers to, cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no Delta table yet.
    #[error("there is no Delta table at {uri} yet: the replicator makes it with the first row")]
    NoTable {
        /// Where it was looked for.
        uri: String,
    },
}

/// Looks after the table `name` of the resource in the file `path`. It may be written meanwhile: the replicator takes in
/// what is done here like the compaction of any other program.
pub async fn maintain(path: &Path, secrets: &Secrets, name: &str) -> Result<Vec<Maintained>, MaintainError> {
    let resource = settings::read(path)?;
    let settings = Settings::resolve(&resource, secrets, Shard::ALL)?;
    let spec = settings.table_spec(settings.table(name)?);
    let Some(mut table) = KeyedTable::open(&spec).await? else {
        return Err(MaintainError::NoTable { uri: spec.url.to_string() });
    };
    Ok(table.maintain(Timestamp::now()).await?)
}
