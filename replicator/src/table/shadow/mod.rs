//! A table copied anew beside the one that readers have: its shadow, a Delta table with a log of its own in a folder of that one.
//! One commit swaps them, so that readers see the old rows or the new ones.
//!
//! All of this goes by the log alone: a table that cannot be opened any more is cured by it too.

mod begin;
mod discard;
mod swap;

pub use swap::Successor;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::kernel::LogState;
use super::log::{FOLDER, Metadata};
use super::{TableError, TableSpec, create, open, progress};
use crate::change::PartitionProgress;

/// The copy that is made to take the place of a table's rows, as the table's log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shadow {
    /// Its folder, below that of the table.
    folder: String,
    /// Identity of the table, which the shadow has as well: keys are hashed alike in both.
    id: String,
    /// Why the rows are copied anew, in words.
    pub why: String,
    /// Events still fit the old rows, so that these are followed meanwhile.
    pub follows: bool,
}

/// What the log of a table says of copies anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// One is being made.
    pub shadow: Option<Shadow>,
    /// The last wish for one that was taken in.
    pub resynced: Option<String>,
}

impl Shadow {
    /// The shadow as a table of its own, of the table `of`.
    pub fn spec(&self, of: &TableSpec) -> TableSpec {
        let mut spec = TableSpec { id: Some(self.id.clone()), opening: super::Opening::default(), ..of.clone() };
        let path = format!("{}/{}", of.url.path().trim_end_matches('/'), self.folder);
        spec.url.set_path(&path);
        spec
    }

    /// `None` for what no replicator wrote.
    fn of(metadata: &Metadata) -> Option<Self> {
        metadata.configuration.get(create::SHADOW).and_then(|text| serde_json::from_str(text).ok())
    }
}

impl Copies {
    /// Reads what the log says; `None` when there is no table. One that this replication did not make is an error.
    pub async fn read(spec: &TableSpec) -> Result<Option<Self>, TableError> {
        let log = log_state(&Context::new(spec)?).await?;
        Ok(log.map(|log| Self::of(&log.metadata)))
    }

    fn of(metadata: &Metadata) -> Self {
        Self { shadow: Shadow::of(metadata), resynced: metadata.configuration.get(create::RESYNCED).cloned() }
    }
}

/// It is in the log of a shadow, whichever.
pub(super) fn is_log(path: &Path) -> bool {
    let mut parts = path.parts();
    let folder = parts.next();
    let of_version = |folder: &str| folder.strip_prefix('g').is_some_and(|version| version.parse::<u64>().is_ok());
    folder.is_some_and(|folder| of_version(folder.as_ref())) && parts.next().is_some_and(|part| part.as_ref() == FOLDER)
}

/// The folder of the shadow that is being made, if there is one.
pub(super) async fn folder(context: &Context) -> Result<Option<String>, TableError> {
    let log = log_state(context).await?;
    Ok(log.and_then(|log| Shadow::of(&log.metadata)).map(|shadow| shadow.folder))
}

/// How far each partition was applied, by the log of the table.
pub async fn applied(spec: &TableSpec) -> Result<PartitionProgress, TableError> {
    let context = Context::new(spec)?;
    let Some(log) = log_state(&context).await? else { return Ok(PartitionProgress::new()) };
    let topic = spec.topic.clone();
    let read = context.blocking(move |context| {
        progress::read(&topic, |app_id| log.transaction(app_id)).map_err(TableError::log("open", &context.uri))
    });
    read.await
}

/// The newest version, without its files; `None` when there is no table. One that is not ours is an error.
async fn log_state(context: &Context) -> Result<Option<LogState>, TableError> {
    let read = context.blocking(|context| {
        let url = context.directory();
        let state = LogState::read_without_files(context.engine.clone(), url.as_str(), None);
        state.map_err(TableError::log("open", &context.uri))
    });
    let log = read.await?;
    if let Some(log) = &log {
        open::own_columns(&context.spec, &log.metadata)?;
    }
    Ok(log)
}
