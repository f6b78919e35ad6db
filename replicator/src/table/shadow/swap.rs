//! The commit that puts the rows of a shadow in the place of the table's.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Shadow;
use crate::change::PartitionProgress;
use crate::table::context::Context;
use crate::table::data_file::{self, DataFile};
use crate::table::kernel::LogState;
use crate::table::log::{Add, DeletionVector, ENGINE, Entry, Landing, Metadata, Remove};
use crate::table::{KeyedTable, TableError, TableSpec, create, progress, protocol};

/// What is to take the place of a table's rows.
#[derive(Clone, Copy)]
pub struct Successor<'a> {
    /// The shadow.
    pub shadow: &'a KeyedTable,
    /// How far it was applied.
    pub applied: &'a PartitionProgress,
    /// What the log is to say of its copy.
    pub record: Option<&'a str>,
}

impl Shadow {
    /// Puts rows, columns, progress and copy record of a shadow in the place of those of the table. After any error, call it again with
    /// the same: what has landed already is known by the log. False: the table's progress is not `known` any more, because somebody
    /// follows its topic or a commit of before came late; nothing was done, and the shadow may be behind.
    pub async fn swap(
        &self,
        spec: &TableSpec,
        successor: Successor<'_>,
        known: &PartitionProgress,
    ) -> Result<bool, TableError> {
        let context = Context::new(spec)?;
        self.keep_keys(&context, successor.shadow)?;
        while let Some((log, progress)) = self.unswapped(&context).await? {
            if progress != *known {
                return Ok(false);
            }
            let entry = self.entry(&context, &log, successor)?;
            let (version, id) = (entry.version, entry.id().unwrap_or_default().to_owned());
            let bytes = entry.to_json().map_err(create::unexpected)?;
            let landing = context.log.land(version, &id, bytes).await.map_err(context.storage("commit to"))?;
            if matches!(landing, Landing::Landed) {
                break;
            }
        }
        Ok(true)
    }

    /// The newest version of the table with its progress, as long as it is not swapped.
    async fn unswapped(&self, context: &Context) -> Result<Option<(LogState, PartitionProgress)>, TableError> {
        let shadow = self.clone();
        let read = context.blocking(move |context| {
            let failed = || TableError::log("open", &context.uri);
            let state = LogState::read(context.engine.clone(), context.directory().as_str(), None).map_err(failed())?;
            let Some(log) = state.filter(|log| Self::of(&log.metadata).as_ref() == Some(&shadow)) else {
                return Ok(None);
            };
            let progress = progress::read(&context.spec.topic, |app_id| log.transaction(app_id)).map_err(failed())?;
            Ok(Some((log, progress)))
        });
        read.await
    }

    fn entry(
        &self,
        context: &Context,
        log: &LogState,
        Successor { shadow, applied, record }: Successor<'_>,
    ) -> Result<Entry, TableError> {
        let state = &shadow.state;
        let now = context.spec.clock.now_ms();
        let features = protocol::features(context.spec.writes, state.columns.has_timestamp_ntz()?);
        let mut entry = Entry {
            version: log.version + 1,
            protocol: protocol::with(&log.protocol, features),
            metadata: Some(metadata(context, &log.metadata, shadow, record)?),
            txns: progress::txns(&context.spec.topic, applied),
            removes: log.adds.iter().map(|add| removed(add, now)).collect(),
            adds: state.files.iter().map(|(_, file)| self.add(file)).collect(),
            ..Entry::default()
        };
        let info = [
            ("timestamp", Value::from(now)),
            ("operation", "WRITE".into()),
            ("operationParameters", json!({"mode": "Overwrite"})),
            ("engineInfo", ENGINE.into()),
            ("readVersion", log.version.into()),
            ("tributary.copiedAnew", self.why.as_str().into()),
        ];
        entry.info.extend(info.map(|(name, value)| (name.to_owned(), value)));
        entry.identify(&Uuid::new_v4().to_string());
        Ok(entry)
    }

    /// A file of the shadow as one of the table.
    fn add(&self, file: &DataFile) -> Add {
        let add = Add { path: self.path(&file.add.path), data_change: true, ..file.add.clone() };
        match &file.add.deletion_vector {
            Some(vector) => data_file::with_vector(&add, file.rows, self.vector(vector)),
            None => add,
        }
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    /// A deletion vector whose file lies in the folder: what stands before the identity is where (Delta protocol, "Deletion Vector
    /// Descriptor Schema"). A shadow writes none with such a prefix.
    fn vector(&self, vector: &DeletionVector) -> DeletionVector {
        match vector.storage_type.as_str() {
            "u" => DeletionVector {
                path_or_inline_dv: format!("{}{}", self.folder, vector.path_or_inline_dv),
                ..vector.clone()
            },
            _ => vector.clone(),
        }
    }

    /// The key runs of the shadow are those of the table, so that they need not be made from the files again.
    fn keep_keys(&self, context: &Context, shadow: &KeyedTable) -> Result<(), TableError> {
        let columns = &shadow.state.columns;
        let (index, own) = (context.index(columns)?, shadow.context.index(columns)?);
        for (_, file) in shadow.state.files.iter() {
            index.keep(&self.path(&file.add.path), &own, &file.add.path, file.rows);
        }
        Ok(())
    }
}

/// Columns and properties of the table from then on.
fn metadata(
    context: &Context,
    table: &Metadata,
    shadow: &KeyedTable,
    record: Option<&str>,
) -> Result<Metadata, TableError> {
    let (spec, columns) = (&context.spec, &shadow.state.columns);
    let mut metadata = create::with_schema(table, columns, spec)?;
    metadata.partition_columns.clone_from(&shadow.state.metadata.partition_columns);
    if let Some(with_properties) = create::with_properties(&metadata, spec, columns) {
        metadata = with_properties;
    }
    metadata.configuration.remove(create::SHADOW);
    match record {
        Some(record) => metadata.configuration.insert(create::COPY.to_owned(), record.to_owned()),
        None => metadata.configuration.remove(create::COPY),
    };
    Ok(metadata)
}

fn removed(add: &Add, now: i64) -> Remove {
    Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(now),
        data_change: true,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        deletion_vector: add.deletion_vector.clone(),
    }
}
