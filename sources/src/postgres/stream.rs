//! What of the server the stream of a table's changes depends on: its slot, and that it is published.

use tokio_postgres::types::PgLsn;

use super::{Session, SourceError};

/// Up to where the connector has said that it delivered all changes; `None` while there is no slot, or it is being made.
pub async fn delivered(session: &Session, slot: &str) -> Result<Option<u64>, SourceError> {
    let query = "SELECT confirmed_flush_lsn FROM pg_replication_slots
        WHERE slot_name = $1 AND database = current_database()";
    let row = session.query_opt(query, &[&slot]).await.map_err(SourceError::statement("read the replication slots"))?;
    Ok(row.and_then(|row| row.get::<_, Option<PgLsn>>(0)).map(u64::from))
}

/// Since when a table has been published as it is. Other numbers when that was interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Stands for the time since when the publication has had the table.
    pub since: u32,
    /// The transaction that last changed what the publication sends of its tables.
    pub publication: u32,
}

/// Since when `publication` has had the table `schema.table`; `None` when it does not have it, or does not send all its changes.
pub async fn membership(
    session: &Session,
    publication: &str,
    schema: &str,
    table: &str,
) -> Result<Option<Membership>, SourceError> {
    let row = session.query_opt(MEMBERSHIP, &[&publication, &schema, &table]).await;
    let row = row.map_err(SourceError::statement(format!("read the tables of the publication {publication}")))?;
    let membership =
        |row: tokio_postgres::Row| Some(Membership { since: row.get::<_, Option<u32>>(0)?, publication: row.get(1) });
    Ok(row.and_then(membership))
}

/// About how many rows a table has, by these object ids of it and its partitions.
pub async fn estimated_rows(session: &Session, oids: &[u32]) -> Result<u64, SourceError> {
    let query = "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::float8 FROM pg_class WHERE oid = ANY($1)";
    let row = session.query_one(query, &[&oids]).await;
    let rows: f64 = row.map_err(SourceError::statement("read the statistics of tables"))?.get(0);
    Ok(rows as u64)
}

/// The table itself is a member, or its schema is, or all tables are. Of a schema, which only newer servers know as a member, it is
/// the dependencies that all servers have.
const MEMBERSHIP: &str = "
SELECT coalesce(member.oid, (
    SELECT of.objid FROM pg_depend of JOIN pg_depend schema USING (classid, objid)
    WHERE of.refclassid = 'pg_publication'::regclass AND of.refobjid = publication.oid
        AND schema.refclassid = 'pg_namespace'::regclass AND schema.refobjid = to_regnamespace(quote_ident($2))
    LIMIT 1
), CASE WHEN publication.puballtables THEN publication.oid END) AS since, publication.xmin::text::bigint::oid
FROM pg_publication publication
LEFT JOIN (
    pg_publication_rel member
    JOIN pg_class class ON class.oid = member.prrelid AND class.relname = $3
    JOIN pg_namespace space ON space.oid = class.relnamespace AND space.nspname = $2
) ON member.prpubid = publication.oid
WHERE publication.pubname = $1
    AND publication.pubinsert AND publication.pubupdate AND publication.pubdelete AND publication.pubtruncate";
