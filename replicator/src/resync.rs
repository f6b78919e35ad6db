//! `replicator resync`: one table is copied anew from its source, beside the rows that readers have meanwhile.

use std::path::Path;

use jiff::Timestamp;

use crate::settings::{self, Secrets, Settings, SettingsError, Shard};
use crate::storage::hasty;
use crate::table::{Shadow, TableError, TableSpec};

/// Why a table is not copied anew.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The document, or what it refers to, cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The table's log cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Nobody reads the database.
    #[error(
        "spec.replicator.copy.connections is 0, so that the replicator does not read the database: set it to 1 or more to have \
         tables copied"
    )]
    NoSource,
    /// There is no Delta table yet.
    #[error(
        "there is no Delta table at {uri} yet: the replicator copies the table when it starts, without being asked"
    )]
    NoTable {
        /// Where it was looked for.
        uri: String,
    },
}

/// Says in the log of the table `name` that it is to be copied anew: the replicator does that when it opens the table next.
pub async fn resync(path: &Path, secrets: &Secrets, name: &str) -> Result<(), ResyncError> {
    let resource = settings::read(path)?;
    let settings = Settings::resolve(&resource, secrets, Shard::ALL)?;
    let options = hasty(settings.storage.options.clone());
    let spec = TableSpec { options, ..settings.table_spec(settings.table(name)?) };
    if settings.source.is_none() {
        return Err(ResyncError::NoSource);
    }
    let wish = Timestamp::now().to_string();
    let begun = Shadow::begin(&spec, "asked for", true, Some(&wish)).await?;
    begun.map(drop).ok_or_else(|| ResyncError::NoTable { uri: spec.url.to_string() })
}
