//! What must hold for a table, and what is lost of it.

use tributary_crds::{AvroConverter, CdcReplication};

use super::super::columns::Column;
use super::super::names::is_managed;
use super::super::tables::{Identity, Kind, Table};
use super::{Facts, Finding, sql};

pub(super) fn table(table: &Table, facts: &Facts, resource: &CdcReplication, found: &mut Vec<Finding>) {
    let mut own = Vec::new();
    match table.kind {
        None => own.push(missing(table)),
        Some(Kind::Other) => own.push(Finding::error(
            "NotATable",
            format!("{} is not a table: a view or a foreign table has no log of changes", table.name),
            "Name the tables behind it in spec.tables.",
        )),
        Some(Kind::Table | Kind::Partitioned) => {
            permissions(table, facts, is_managed(resource), &mut own);
            rows(table, &mut own);
            columns(table, resource, &mut own);
        }
    }
    found.extend(own.into_iter().map(|finding| finding.of(&table.name)));
}

fn missing(table: &Table) -> Finding {
    let (schema, name) = table.name.split_once('.').unwrap_or_default();
    let query = format!(
        "SELECT schemaname, tablename FROM pg_tables WHERE lower(tablename) = lower('{}');",
        name.replace('\'', "''")
    );
    Finding::error(
        "TableMissing",
        format!("There is no table {} in the database", table.name),
        format!(
            "Create it in the schema {schema}, or correct spec.tables: names are spelled as in the catalogue, in lower case \
             unless they were created with quotes. To look for it: {query}"
        ),
    )
}

fn permissions(table: &Table, facts: &Facts, publishes: bool, found: &mut Vec<Finding>) {
    let (user, name) = (sql::identifier(&facts.role.name), sql::table(&table.name));
    let owner = sql::identifier(&table.owner);
    if publishes && !table.owned {
        found.push(Finding::error(
            "NotOwner",
            format!("The table {} belongs to {owner}, and only its owner can add it to a publication", table.name),
            format!("Run: GRANT {owner} TO {user};"),
        ));
    }
    if !table.readable {
        let schema = sql::identifier(table.name.split('.').next().unwrap_or_default());
        found.push(Finding::error(
            "NotReadable",
            format!("The user {user} may not read the table {}", table.name),
            format!("Run: GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {name} TO {user};"),
        ));
    }
    if table.row_security {
        found.push(Finding::error(
            "RowSecurity",
            format!(
                "Row security hides rows of the table {} from the user {user}: the first copy would lack them",
                table.name
            ),
            format!("Run as superuser: ALTER ROLE {user} WITH BYPASSRLS;"),
        ));
    }
}

/// Whether each change says which row it is about.
fn rows(table: &Table, found: &mut Vec<Finding>) {
    let name = sql::table(&table.name);
    if !table.logged {
        found.push(Finding::error(
            "NotLogged",
            format!("The table {} is UNLOGGED or TEMPORARY: its changes are not in the log", table.name),
            format!("Run: ALTER TABLE {name} SET LOGGED;"),
        ));
    }
    if !table.has_key() {
        found.push(Finding::error(
            "NoPrimaryKey",
            format!(
                "The table {} has no primary key, so a change does not say which row it is about; once it is published, \
                 Postgres refuses the application's own updates and deletes",
                table.name
            ),
            format!("Run: ALTER TABLE {name} ADD PRIMARY KEY (…); with the columns that tell its rows apart."),
        ));
    } else if table.identity == Identity::Nothing {
        found.push(Finding::error(
            "NoReplicaIdentity",
            format!(
                "The table {} has REPLICA IDENTITY NOTHING: once it is published, Postgres refuses the application's own \
                 updates and deletes",
                table.name
            ),
            format!("Run: ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"),
        ));
    } else if !table.identity_has_key {
        found.push(Finding::error(
            "ReplicaIdentityWithoutKey",
            format!(
                "The table {} has a REPLICA IDENTITY without its primary key: a delete would not say which row goes",
                table.name
            ),
            format!("Run: ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"),
        ));
    }
}

/// What does not reach the Delta table as it is.
fn columns(table: &Table, resource: &CdcReplication, found: &mut Vec<Finding>) {
    for column in &table.columns {
        if column.generated {
            found.push(generated(table, column));
        } else if column.stops_connector() {
            let message = format!(
                "The connector stops at the column {} of {}, which has the type {}",
                column.name, table.name, column.sql_type
            );
            found.push(Finding::error("UnreadableType", message, "Change it to text or to an array of booleans."));
        } else if !column.is_supported() {
            found.push(unsupported(table, column));
        } else if column.dimensions == 1 && column.is_enum {
            found.push(Finding::warning(
                "NullInEnumArray",
                format!("A NULL inside the array {} of {} would stop the connector", column.name, table.name),
                "Keep NULLs out of it with a CHECK constraint, or change the column to text[].",
            ));
        }
        if column.nullable_with_default && loses_nulls(resource) {
            found.push(Finding::warning(
                "NullBecomesDefault",
                format!("The Avro converter writes the default of the column {} of {} in place of NULL", column.name, table.name),
                "Use spec.format.json, or another registry with spec.format.avro.converter: Confluent, or drop the default.",
            ));
        }
    }
}

fn loses_nulls(resource: &CdcReplication) -> bool {
    resource.spec.format.avro.as_ref().is_some_and(|avro| avro.converter == AvroConverter::Apicurio)
}

fn generated(table: &Table, column: &Column) -> Finding {
    Finding::warning(
        "GeneratedColumn",
        format!(
            "The column {} of {} is generated: Postgres does not send it with changes, so it is null in rows that change",
            column.name, table.name
        ),
        "Compute it where the Delta table is read, or fill an ordinary column by a trigger.",
    )
}

fn unsupported(table: &Table, column: &Column) -> Finding {
    let Column { name, sql_type, .. } = column;
    let what = if column.dimensions > 1 {
        format!(
            "The column {name} of {} is an array of {} dimensions ({sql_type}), which arrives as nulls",
            table.name, column.dimensions
        )
    } else {
        format!(
            "The column {name} of {} has the type {sql_type}, which is not supported: the Delta table does not have it, or not as it is",
            table.name
        )
    };
    if column.in_key {
        let advice = "Give the table a key of other types.";
        return Finding::error("UnsupportedKeyType", format!("{what}, and it is part of the primary key"), advice);
    }
    Finding::warning("UnsupportedType", what, "If it is needed, store it as text or jsonb.")
}
