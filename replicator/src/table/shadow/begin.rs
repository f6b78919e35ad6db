//! The commit that says that a table is copied anew.

use serde_json::Value;
use uuid::Uuid;

use super::{Copies, Shadow, log_state};
use crate::table::context::Context;
use crate::table::log::{ENGINE, Entry, Landing, Metadata};
use crate::table::{TableError, TableSpec, create};

impl Shadow {
    /// Has the table copied anew: whoever writes it makes a shadow of it from now on. `wish` is what asked for it, if somebody did;
    /// the same wish is not taken in twice. A table that is being copied anew goes on with that; `None` when there is no table.
    pub async fn begin(
        spec: &TableSpec,
        why: &str,
        follows: bool,
        wish: Option<&str>,
    ) -> Result<Option<Self>, TableError> {
        let context = Context::new(spec)?;
        loop {
            let Some(log) = log_state(&context).await? else { return Ok(None) };
            let Copies { shadow, resynced } = Copies::of(&log.metadata);
            let is_taken_in = wish.is_none_or(|wish| resynced.as_deref() == Some(wish));
            if let (Some(shadow), true) = (&shadow, is_taken_in) {
                return Ok(Some(shadow.clone()));
            }
            let shadow = shadow.unwrap_or_else(|| Self {
                folder: folder(log.version + 1),
                id: log.metadata.id.clone(),
                why: why.to_owned(),
                follows,
            });
            let metadata = with(log.metadata, &shadow, wish)?;
            if land(&context, log.version + 1, metadata).await? {
                return Ok(Some(shadow));
            }
        }
    }
}

/// The folder of the shadow that a version begins: none begins two of them.
pub(super) fn folder(version: u64) -> String {
    format!("g{version}")
}

pub(super) fn with(mut metadata: Metadata, shadow: &Shadow, wish: Option<&str>) -> Result<Metadata, TableError> {
    let text = serde_json::to_string(shadow).map_err(create::unexpected)?;
    metadata.configuration.insert(create::SHADOW.to_owned(), text);
    if let Some(wish) = wish {
        metadata.configuration.insert(create::RESYNCED.to_owned(), wish.to_owned());
    }
    Ok(metadata)
}

/// False when somebody else's commit has that version.
pub(super) async fn land(context: &Context, version: u64, metadata: Metadata) -> Result<bool, TableError> {
    let mut entry = Entry { version, metadata: Some(metadata), ..Entry::default() };
    let info = [
        ("timestamp", Value::from(context.spec.clock.now_ms())),
        ("operation", "SET TBLPROPERTIES".into()),
        ("operationParameters", serde_json::json!({})),
        ("engineInfo", ENGINE.into()),
    ];
    entry.info.extend(info.map(|(name, value)| (name.to_owned(), value)));
    let id = Uuid::new_v4().to_string();
    entry.identify(&id);
    let bytes = entry.to_json().map_err(create::unexpected)?;
    let landing = context.log.land(version, &id, bytes).await.map_err(context.storage("commit to"))?;
    Ok(matches!(landing, Landing::Landed))
}
