//! A shadow that nobody needs any more: swapped, or not worth keeping.

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use super::{Shadow, begin, log_state};
use crate::table::context::Context;
use crate::table::index::IndexDirectory;
use crate::table::log::FOLDER;
use crate::table::{KeyedTable, TableError, TableSpec};

impl Shadow {
    /// Begins another shadow in the place of this one, of which nothing is worth keeping. One commit of the table does it, so that a
    /// log that is half removed is nobody's. The shadow that is to be made now; `None` when the table has none any more.
    pub async fn discard(&self, of: &TableSpec) -> Result<Option<Self>, TableError> {
        let context = Context::new(of)?;
        loop {
            let Some(log) = log_state(&context).await? else { return Ok(None) };
            // Another one: an earlier attempt has landed, or another replicator was faster.
            let now = Self::of(&log.metadata);
            if now.as_ref() != Some(self) {
                return Ok(now);
            }
            let version = log.version + 1;
            let next = Self { folder: begin::folder(version), ..self.clone() };
            if begin::land(&context, version, begin::with(log.metadata, &next, None)?).await? {
                self.remove(of).await;
                return Ok(Some(next));
            }
        }
    }

    /// Removes log and key runs; the rest goes with a vacuum of the table, and so does a log that stays.
    async fn remove(&self, of: &TableSpec) {
        let spec = self.spec(of);
        if let Ok(context) = Context::new(&spec) {
            remove_log(&context).await;
        }
        // Whatever its keys are.
        if let Ok(index) = IndexDirectory::open(&spec, "") {
            index.remove();
        }
    }
}

impl KeyedTable {
    /// Leaves a shadow whose rows are the table's now: its log and its key runs go. What stays of it is nobody's.
    pub async fn leave(self) {
        remove_log(&self.context).await;
        if let Ok(index) = self.context.index(&self.state.columns) {
            index.remove();
        }
    }
}

async fn remove_log(context: &Context) {
    let paths = context.store.list(Some(&Path::from(FOLDER))).map_ok(|found| found.location).boxed();
    let _ = context.store.delete_stream(paths).try_collect::<Vec<_>>().await;
}
