//! What the catalogue says about the tables.

use tokio_postgres::Row;
use tributary_crds::TableSpec;

use super::columns::{Column, columns};
use super::{Session, SourceError};

/// A table of the resource, as the catalogue has it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent answers of the catalogue")]
pub struct Table {
    /// `schema.table`, as the resource writes it.
    pub name: String,
    /// What it is; `None` if nothing has that name.
    pub kind: Option<Kind>,
    /// Its owner.
    pub owner: String,
    /// Whether the user owns it or is a member of its owner, which is what adding it to a publication takes.
    pub owned: bool,
    /// Whether the user may use its schema and read all its columns.
    pub readable: bool,
    /// Whether policies hide rows from the user.
    pub row_security: bool,
    /// `UNLOGGED` or `TEMPORARY`: its changes are not in the log.
    pub logged: bool,
    /// What of an old row the log has.
    pub identity: Identity,
    /// Whether every column of the primary key is in the replica identity.
    pub identity_has_key: bool,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A table.
    Table,
    /// A table with partitions.
    Partitioned,
    /// A view, a foreign table, a materialized view, a sequence: not in the log.
    Other,
}

/// `REPLICA IDENTITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The primary key, if there is one.
    Default,
    /// Nothing.
    Nothing,
    /// All columns.
    Full,
    /// A unique index.
    Index,
}

impl Table {
    /// Whether it has a primary key.
    pub fn has_key(&self) -> bool {
        self.columns.iter().any(|column| column.in_key)
    }
}

pub(super) async fn tables(session: &Session, specs: &[TableSpec]) -> Result<Vec<Table>, SourceError> {
    let (schemas, names) = split(specs);
    let doing = || SourceError::statement("read the catalogue of tables");
    let rows = session.query(QUERY, &[&schemas, &names]).await.map_err(doing())?;
    let mut columns = columns(session, &schemas, &names).await?;
    let tables = specs.iter().zip(&rows).map(|(spec, row)| {
        let number: i64 = row.get("number");
        table_of(spec, row, columns.remove(&number).unwrap_or_default())
    });
    Ok(tables.collect())
}

/// What the catalogue says of one table.
pub async fn table(session: &Session, spec: &TableSpec) -> Result<Option<Table>, SourceError> {
    Ok(tables(session, std::slice::from_ref(spec)).await?.pop())
}

/// Schemas and tables of `schema.table`.
fn split(specs: &[TableSpec]) -> (Vec<&str>, Vec<&str>) {
    // The schema of the resource demands the dot.
    specs.iter().map(|spec| spec.name.split_once('.').unwrap_or(("", &spec.name))).unzip()
}

fn table_of(spec: &TableSpec, row: &Row, columns: Vec<Column>) -> Table {
    Table {
        name: spec.name.clone(),
        kind: row.get::<_, Option<&str>>("kind").map(|kind| match kind {
            "r" => Kind::Table,
            "p" => Kind::Partitioned,
            _ => Kind::Other,
        }),
        owner: row.get("owner"),
        owned: row.get("owned"),
        readable: row.get("readable"),
        row_security: row.get("row_security"),
        logged: row.get("logged"),
        identity: match row.get("identity") {
            "n" => Identity::Nothing,
            "f" => Identity::Full,
            "i" => Identity::Index,
            _ => Identity::Default,
        },
        identity_has_key: row.get("identity_has_key"),
        columns,
    }
}

const QUERY: &str = r"
SELECT wanted.number, class.relkind::text AS kind,
    coalesce(pg_get_userbyid(class.relowner)::text, '') AS owner,
    coalesce(pg_has_role(class.relowner, 'USAGE'), false) AS owned,
    coalesce(has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(class.oid, 'SELECT'), false) AS readable,
    coalesce(row_security_active(class.oid), false) AS row_security,
    coalesce(class.relpersistence = 'p', false) AS logged,
    coalesce(class.relreplident::text, 'd') AS identity,
    coalesce(class.relreplident = 'f' OR key.indkey::int2[] <@ (CASE class.relreplident
        WHEN 'd' THEN key.indkey::int2[] WHEN 'i' THEN identity.indkey::int2[] END), false) AS identity_has_key
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (schema, name, number)
LEFT JOIN pg_namespace space ON space.nspname = wanted.schema
LEFT JOIN pg_class class ON class.relnamespace = space.oid AND class.relname = wanted.name
LEFT JOIN pg_index key ON key.indrelid = class.oid AND key.indisprimary
LEFT JOIN pg_index identity ON identity.indrelid = class.oid AND identity.indisreplident
ORDER BY wanted.number";
