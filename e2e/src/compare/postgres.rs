//! Reads the source side: a table's columns and key from the catalog, its rows as text.

use futures::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::CompareError;
use super::rows::Layout;

/// A column of a source table.
pub(super) struct SourceColumn {
    pub(super) name: String,
    /// The catalog's name of the type (of the base type, for a domain): `int4`, `_text`, `bpchar`, …
    pub(super) type_name: String,
    /// The catalog's name of the element type, for an array.
    pub(super) element: Option<String>,
    /// Whether the type was declared with a length or precision.
    pub(super) sized: bool,
    /// The position in the primary key, from 0.
    pub(super) key: Option<usize>,
}

/// A source table: its name as SQL writes it and its columns, except those that Postgres computes.
pub(super) struct SourceTable {
    pub(super) name: String,
    pub(super) columns: Vec<SourceColumn>,
}

// Generated columns are left out because logical decoding (up to PostgreSQL 17) does not send them.
const COLUMNS: &str = "
    SELECT a.attname::text, t.typname::text, e.typname::text,
           a.atttypmod <> -1,
           (array_position(i.indkey::int2[], a.attnum) - array_lower(i.indkey::int2[], 1))::int
    FROM pg_attribute a
    JOIN pg_type own ON own.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE WHEN own.typtype = 'd' THEN own.typbasetype ELSE own.oid END
    LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnum";

impl SourceTable {
    pub(super) async fn describe(pg: &Client, table: &str) -> Result<Self, CompareError> {
        let rows = pg.query(COLUMNS, &[&table]).await.map_err(|e| failed(table, e))?;
        let column = |row: &Row| {
            let key: Option<i32> = row.get(4);
            let key = key.and_then(|position| usize::try_from(position).ok());
            SourceColumn { name: row.get(0), type_name: row.get(1), element: row.get(2), sized: row.get(3), key }
        };
        let columns: Vec<_> = rows.iter().map(column).collect();
        if columns.iter().all(|column| column.key.is_none()) {
            return Err(CompareError::NoKey(table.to_string()));
        }
        Ok(Self { name: table.to_string(), columns })
    }
}

/// Opens the snapshot that all tables are read in, with the settings that fix the text forms.
pub(super) async fn begin(pg: &Client) -> Result<(), CompareError> {
    let settings = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres';
        SET LOCAL extra_float_digits = 1; SET LOCAL xmlbinary = 'base64'";
    pg.batch_execute(settings).await.map_err(|e| failed("a snapshot", e))
}

/// Closes the snapshot; also after an error inside it.
pub(super) async fn end(pg: &Client) -> Result<(), CompareError> {
    pg.batch_execute("ROLLBACK").await.map_err(|e| failed("a snapshot", e))
}

/// Gives each row of the table to `each`, columns in the layout's order.
pub(super) async fn stream(
    pg: &Client,
    table: &SourceTable,
    layout: &Layout,
    mut each: impl FnMut(&Row),
) -> Result<(), CompareError> {
    let columns: Vec<_> = layout.columns.iter().map(|column| column.sql.as_str()).collect();
    let query = format!("SELECT {} FROM {}", columns.join(", "), table.name);
    let none: [&str; 0] = [];
    let rows = pg.query_raw(&query, none).await.map_err(|e| failed(&table.name, e))?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(|e| failed(&table.name, e))? {
        each(&row);
    }
    Ok(())
}

pub(super) fn failed(table: &str, source: tokio_postgres::Error) -> CompareError {
    CompareError::Postgres { table: table.to_string(), source }
}
