//! Columns and what becomes of them on the way: the rules are those of `docs/types.md`.

use std::collections::HashMap;

use super::{Session, SourceError};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent answers of the catalogue")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as SQL writes it: `numeric(12,2)`, `text[]`.
    pub sql_type: String,
    /// The type's name in the catalogue; of an array its element's, of a domain that of what it is made of.
    pub base: String,
    /// Whether that type is an enumeration.
    pub is_enum: bool,
    /// The dimensions it was declared with; 0 if it is no array.
    pub dimensions: i32,
    /// Whether long values are stored apart from the row, and not sent with changes that leave them as they are.
    pub toastable: bool,
    /// Whether it may be null although it has a default.
    pub nullable_with_default: bool,
    /// Whether it is computed from others and stored: Postgres does not send it with changes.
    pub generated: bool,
    /// Whether it is part of the primary key.
    pub in_key: bool,
}

/// Types that arrive whole, by their names in the catalogue.
const SUPPORTED: [&str; 46] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "oid",
    "float4",
    "float8",
    "numeric",
    "money",
    "text",
    "varchar",
    "bpchar",
    "citext",
    "name",
    "char",
    "uuid",
    "json",
    "jsonb",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "int4range",
    "int8range",
    "numrange",
    "daterange",
    "tsrange",
    "tstzrange",
    "ltree",
    "tsvector",
    "hstore",
    "bytea",
    "bit",
    "varbit",
    "date",
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "interval",
    "point",
    "geometry",
    "geography",
    "vector",
    "halfvec",
];

/// Types that arrive whole, but not in arrays: the column is left out then.
const NOT_IN_ARRAYS: [&str; 5] = ["money", "interval", "xml", "point", "name"];

/// Elements of arrays at which the connector stops.
const STOPPING_IN_ARRAYS: [&str; 2] = ["bit", "varbit"];

impl Column {
    /// Whether its values reach the Delta table.
    pub fn is_supported(&self) -> bool {
        let base = self.base.as_str();
        match self.dimensions {
            0 => self.is_enum || SUPPORTED.contains(&base),
            1 => self.is_enum || (SUPPORTED.contains(&base) && !NOT_IN_ARRAYS.contains(&base)),
            _ => false,
        }
    }

    /// Whether the connector stops at its first value.
    pub fn stops_connector(&self) -> bool {
        self.dimensions > 0 && STOPPING_IN_ARRAYS.contains(&self.base.as_str())
    }
}

/// The columns of each table, by its number from 1.
pub(super) async fn columns(
    session: &Session,
    schemas: &[&str],
    tables: &[&str],
) -> Result<HashMap<i64, Vec<Column>>, SourceError> {
    let rows = session.query(QUERY, &[&schemas, &tables]).await;
    let rows = rows.map_err(SourceError::statement("read the catalogue of columns"))?;
    let mut columns: HashMap<i64, Vec<Column>> = HashMap::new();
    for row in rows {
        columns.entry(row.get("number")).or_default().push(Column {
            name: row.get("name"),
            sql_type: row.get("sql_type"),
            base: row.get("base"),
            is_enum: row.get("is_enum"),
            dimensions: row.get("dimensions"),
            toastable: row.get("toastable"),
            nullable_with_default: row.get("nullable_with_default"),
            generated: row.get("generated"),
            in_key: row.get("in_key"),
        });
    }
    Ok(columns)
}

/// A domain is followed to what it is made of, an array to its element.
const QUERY: &str = r"
WITH RECURSIVE plain (of, oid) AS (
    SELECT oid, oid FROM pg_type
    UNION ALL
    SELECT plain.of, domain.typbasetype FROM plain JOIN pg_type domain ON domain.oid = plain.oid
    WHERE domain.typtype = 'd'
), base AS (
    SELECT plain.of, type.* FROM plain JOIN pg_type type ON type.oid = plain.oid AND type.typtype <> 'd'
)
SELECT wanted.number, attribute.attname::text AS name,
    format_type(attribute.atttypid, attribute.atttypmod) AS sql_type,
    coalesce(element.typname, base.typname)::text AS base,
    coalesce(element.typtype, base.typtype) = 'e' AS is_enum,
    CASE WHEN element.of IS NULL THEN 0 ELSE greatest(attribute.attndims::int, 1) END AS dimensions,
    attribute.attstorage IN ('x', 'e') AND (class.reltoastrelid <> 0 OR class.relkind = 'p') AS toastable,
    attribute.atthasdef AND attribute.attgenerated = '' AND NOT attribute.attnotnull AS nullable_with_default,
    attribute.attgenerated <> '' AS generated,
    coalesce(attribute.attnum = ANY (key.indkey), false) AS in_key
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (schema, name, number)
JOIN pg_namespace space ON space.nspname = wanted.schema
JOIN pg_class class ON class.relnamespace = space.oid AND class.relname = wanted.name
JOIN pg_attribute attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
JOIN base ON base.of = attribute.atttypid
LEFT JOIN base element ON element.of = base.typelem AND base.typcategory = 'A'
LEFT JOIN pg_index key ON key.indrelid = class.oid AND key.indisprimary
ORDER BY wanted.number, attribute.attnum";
