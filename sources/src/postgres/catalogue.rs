//! What the catalogue says of a table that a copy of it depends on: kept with the copy, and compared with what it says later.

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::traces::{Traces, traces};
use super::{Session, SourceError};

/// A table as the catalogue has it. Object ids are those of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalogue {
    /// The table itself: another one when it was dropped and created again, or another took its name.
    pub oid: u32,
    /// The files with its rows, by the table or partition that they belong to, ascending. A partitioned table has none of
    /// its own.
    pub storage: Vec<Storage>,
    /// Tables that inherit its columns without being its partitions, such as the chunks of a hypertable.
    pub inheritors: Vec<String>,
    /// Numbers of the columns of its primary key, in key order.
    pub key: Vec<i16>,
    /// A replica identity that lacks the primary key: deletes and changes of keys arrive without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyless_identity: bool,
    /// Its columns, by their numbers.
    pub columns: Vec<CatalogueColumn>,
    /// What shows that something was changed, and perhaps back.
    #[serde(default)]
    pub traces: Traces,
}

/// A file with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The table, or the partition.
    pub oid: u32,
    /// Its file: another one when all rows were written anew, or removed at once.
    pub filenode: u32,
    /// Nothing was ever written into the file.
    #[serde(skip)]
    pub is_empty: bool,
}

/// A column as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueColumn {
    /// Its number, which is never given again.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its type as SQL writes it: `numeric(12,2)`.
    pub sql_type: String,
    /// The transaction that last changed what the catalogue says of it, its type or anything else.
    pub changed_by: u32,
    /// What rows show that were there before the column was, as text, if it came with a constant default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// It is computed from others: Postgres does not send it with changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

impl Catalogue {
    /// The column of this number.
    pub fn column(&self, number: i16) -> Option<&CatalogueColumn> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// The file of a table or partition.
    pub fn storage(&self, oid: u32) -> Option<&Storage> {
        self.storage.iter().find(|storage| storage.oid == oid)
    }

    /// Whether its rows are in partitions.
    pub fn is_partitioned(&self) -> bool {
        self.storage(self.oid).is_none()
    }
}

/// What the catalogue says of `schema.table`; `None` when nothing has that name.
pub async fn catalogue(session: &Session, schema: &str, table: &str) -> Result<Option<Catalogue>, SourceError> {
    let doing = || SourceError::statement(format!("read the catalogue of {schema}.{table}"));
    let Some(row) = session.query_opt(TABLE, &[&schema, &table]).await.map_err(doing())? else { return Ok(None) };
    let oid: u32 = row.get("oid");
    let (stored, filenodes): (Vec<u32>, Vec<u32>) = (row.get("stored"), row.get("filenodes"));
    // Of a partitioned table only its partitions know what the rows that they had show in a new column.
    let columns = session.query(COLUMNS, &[&oid, &stored]).await.map_err(doing())?;
    let empty: Vec<bool> = row.get("empty");
    let storage = stored.into_iter().zip(filenodes).zip(empty);
    let storage = storage.map(|((oid, filenode), is_empty)| Storage { oid, filenode, is_empty });
    Ok(Some(Catalogue {
        oid,
        storage: storage.collect(),
        inheritors: row.get("inheritors"),
        key: row.get("key"),
        keyless_identity: row.get("keyless_identity"),
        traces: traces(session, oid).await?,
        columns: columns.iter().map(column).collect(),
    }))
}

fn column(row: &Row) -> CatalogueColumn {
    CatalogueColumn {
        number: row.get("number"),
        name: row.get("name"),
        sql_type: row.get("sql_type"),
        changed_by: row.get("changed_by"),
        missing: row.get("missing"),
        generated: row.get("generated"),
    }
}

impl Catalogue {
    /// The same, with columns of `before` that are not there any more: one that comes later under the name of one of them is
    /// another column.
    #[must_use]
    pub fn remembering(mut self, before: &Self) -> Self {
        let gone = before.columns.iter().filter(|column| self.column(column.number).is_none()).cloned();
        let gone: Vec<_> = gone.collect();
        self.columns.extend(gone);
        self.columns.sort_by_key(|column| column.number);
        self
    }
}

/// The parts of a partitioned table are those of all its levels.
const TABLE: &str = "
WITH RECURSIVE wanted AS (
    SELECT class.oid FROM pg_class class JOIN pg_namespace space ON space.oid = class.relnamespace
    WHERE space.nspname = $1 AND class.relname = $2 AND class.relkind IN ('r', 'p')
), part (oid) AS (
    SELECT oid FROM wanted
    UNION ALL
    SELECT child.oid FROM part JOIN pg_inherits link ON link.inhparent = part.oid
    JOIN pg_class child ON child.oid = link.inhrelid AND child.relispartition
), stored AS (
    SELECT part.oid, pg_relation_filenode(part.oid) AS filenode, pg_relation_size(part.oid) = 0 AS empty FROM part
    WHERE pg_relation_filenode(part.oid) IS NOT NULL
)
SELECT wanted.oid,
    ARRAY(SELECT oid FROM stored ORDER BY oid) AS stored,
    ARRAY(SELECT filenode FROM stored ORDER BY oid) AS filenodes,
    ARRAY(SELECT empty FROM stored ORDER BY oid) AS empty,
    ARRAY(SELECT child.oid::regclass::text FROM pg_inherits link
        JOIN pg_class child ON child.oid = link.inhrelid AND NOT child.relispartition
        WHERE link.inhparent = wanted.oid ORDER BY 1) AS inheritors,
    coalesce((SELECT indkey::int2[] FROM pg_index WHERE indrelid = wanted.oid AND indisprimary), '{}') AS key,
    EXISTS (SELECT FROM part JOIN pg_class class ON class.oid = part.oid
        JOIN pg_index key ON key.indrelid = part.oid AND key.indisprimary
        LEFT JOIN pg_index identity ON identity.indrelid = part.oid AND identity.indisreplident
        WHERE class.relreplident = 'n'
            OR class.relreplident = 'i' AND NOT coalesce(key.indkey::int2[] <@ identity.indkey::int2[], false)
    ) AS keyless_identity
FROM wanted";

const COLUMNS: &str = "
SELECT attnum AS number, attname::text AS name, format_type(atttypid, atttypmod) AS sql_type, xmin::text::bigint::oid AS changed_by,
    CASE WHEN atthasmissing THEN array_to_string(attmissingval, '') ELSE (
        SELECT array_to_string(min(part.attmissingval::text::text[]), '') FROM pg_attribute part
        WHERE part.attrelid = ANY($2) AND part.attname = own.attname AND part.atthasmissing
    ) END AS missing, attgenerated <> '' AS generated
FROM pg_attribute own WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
