//! Where the Delta tables will be: is there one already, and is it ours?

use super::{CheckLine, Finding};
use crate::settings::Settings;
use crate::storage::hasty;
use crate::table::{KeyedTable, TableSpec};

/// Looks at each table's Delta log. One that is not there yet is no line: the first commit makes it.
pub(super) async fn check(settings: &Settings) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    for table in &settings.tables {
        let options = hasty(settings.storage.options.clone());
        let spec = TableSpec { options, ..settings.table_spec(table) };
        let found = match KeyedTable::existing_version(&spec).await {
            Ok(None) => continue,
            Ok(Some(version)) => Finding::Ok(format!("version {version}, ours")),
            Err(error) => Finding::from_error(&error),
        };
        lines.push(CheckLine::new(format!("delta table {}", table.url), found));
    }
    lines
}
