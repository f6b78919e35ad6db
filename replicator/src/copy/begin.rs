//! Where a copy begins: the table is published, the slot is there, and what was running when that was so has ended.

use std::time::Duration;

use tributary_sources::postgres::{self, Barrier, Membership, RangeColumn, Reading, RowReader, Session};

use super::{CopyError, CopyRecord, CopySource};
use crate::change::RowSchema;
use crate::report::TableHandle;

/// How often it is looked whether what is waited for is there.
const POLL: Duration = Duration::from_millis(500);

/// Said where the log of the server ends before what came out of it.
pub(super) const WENT_BACK: &str = "the server's log is not as far as the connector has read it: the server was restored from a copy of its \
     disk, or replaced, and the stream has to be begun anew (stop the connector, drop its slot, have its positions forgotten)";

/// What a copy is made of.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) record: CopyRecord,
    pub(super) reader: RowReader,
    pub(super) schema: std::sync::Arc<RowSchema>,
    pub(super) column: Option<RangeColumn>,
}

/// Waits until a copy can miss no change that the stream misses as well.
pub(super) async fn barrier(source: &CopySource, report: &TableHandle) -> Result<Membership, CopyError> {
    let session = source.connect().await?;
    let mut said = None;
    let membership = loop {
        match published(source, &session, report).await? {
            Ok(membership) => break membership,
            Err(what) if said.as_ref() == Some(&what) => {}
            Err(what) => {
                report.waiting(&what);
                said = Some(what);
            }
        }
        tokio::time::sleep(POLL).await;
    };
    let barrier = Barrier::raise(&session).await?;
    let mut said = None;
    while let Some(running) = barrier.waits_for(&session).await? {
        if said.as_ref() != Some(&running.who) {
            report.waiting(&format!(
                "a copy begins when every transaction has ended that began before the table was published: {running}"
            ));
            said = Some(running.who);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(membership)
}

/// Since when the table is published, or what is waited for.
async fn published(
    source: &CopySource,
    session: &Session,
    report: &TableHandle,
) -> Result<Result<Membership, String>, CopyError> {
    let settings = &source.settings;
    let Some(membership) = source.membership(session).await? else {
        return Ok(Err(format!(
            "the publication {} does not have the table {} yet, or not with all its operations: whoever sets up the connector adds \
             it",
            settings.publication, source.table.name
        )));
    };
    let (read, log) = (report.delivered(), source.position(session).await?.lsn.into());
    if read.is_some_and(|read| read > log) {
        return Ok(Err(format!("{WENT_BACK}, and changes are not sent before it is there again")));
    }
    Ok(match postgres::delivered(session, &settings.slot).await? {
        Some(_) => Ok(membership),
        None => Err(format!(
            "the replication slot {} is not there yet: the connector makes it when it starts, so check that it runs. Without the \
             operator, one that has read another slot before has to have its positions forgotten: stop it, and DELETE \
             /connectors/NAME/offsets",
            settings.slot
        )),
    })
}

/// The table as it is now.
pub(super) async fn origin(source: &CopySource, membership: Membership) -> Result<Origin, CopyError> {
    let session = source.connect().await?;
    let name = &source.table.name;
    let (schema, table) = source.names();
    let no_table = || CopyError::NoTable { table: name.clone() };
    postgres::catalogue(&session, schema, table).await?.ok_or_else(no_table)?;
    let reading = Reading::begin(&session, name).await?;
    let catalogue = postgres::catalogue(&session, schema, table).await?.ok_or_else(no_table)?;
    let described = postgres::table(&session, &source.table).await?.ok_or_else(no_table)?;
    reading.end().await?;
    if let Some(what) = postgres::refusal(&catalogue) {
        return Err(CopyError::Refused { what });
    }
    let unreadable = RowReader::unreadable(&described.columns);
    if !unreadable.is_empty() {
        let columns = unreadable.iter().map(|column| format!("{} ({})", column.name, column.sql_type));
        return Err(CopyError::UnreadableColumns { columns: columns.collect::<Vec<_>>().join(", ") });
    }
    let naming = source.settings.naming;
    let reader = RowReader::new(name, &described.columns, naming);
    let key_names: Vec<&str> = catalogue
        .key
        .iter()
        .filter_map(|number| catalogue.column(*number))
        .map(|column| column.name.as_str())
        .collect();
    let arrow = reader.schema();
    let key = key_names.iter().filter_map(|name| arrow.index_of(&naming.of(name)).ok()).collect();
    let row_schema = RowSchema { arrow: std::sync::Arc::clone(arrow), key, warnings: Vec::new() };
    let column = key_names.first().and_then(|first| described.columns.iter().find(|column| column.name == *first));
    let column = column.and_then(RangeColumn::of);
    let position = source.position(&session).await?;
    let record = CopyRecord {
        system: position.system,
        timeline: Some(position.timeline),
        waited_for: postgres::failover(&session).await?.waited_for,
        membership: membership.since,
        publication: Some(membership.publication),
        catalogue,
        range_column: column.as_ref().map(|column| naming.of(column.name())),
        chunks: Vec::new(),
        ended_at: None,
    };
    Ok(Origin { record, reader, schema: std::sync::Arc::new(row_schema), column })
}
