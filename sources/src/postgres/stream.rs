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

/// Stands for the time since when `publication` has had the table `schema.table`: another number when it was taken out and put in
/// again. `None` when it does not have it.
pub async fn membership(
    session: &Session,
    publication: &str,
    schema: &str,
    table: &str,
) -> Result<Option<u32>, SourceError> {
    let row = session.query_opt(MEMBERSHIP, &[&publication, &schema, &table]).await;
    let row = row.map_err(SourceError::statement(format!("read the tables of the publication {publication}")))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// About how many rows a table has, by these object ids of it and its partitions.
pub async fn estimated_rows(session: &Session, oids: &[u32]) -> Result<u64, SourceError> {
    let query = "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::float8 FROM pg_class WHERE oid = ANY($1)";
    let row = session.query_one(query, &[&oids]).await;
    let rows: f64 = row.map_err(SourceError::statement("read the statistics of tables"))?.get(0);
    Ok(rows as u64)
}

/// The table itself is a member, or all tables are, or all of its schema.
const MEMBERSHIP: &str = "
SELECT coalesce(member.oid, CASE WHEN publication.puballtables OR EXISTS (
    SELECT FROM pg_publication_tables shown
    WHERE shown.pubname = publication.pubname AND shown.schemaname = $2 AND shown.tablename = $3
) THEN publication.oid END) AS member
FROM pg_publication publication
LEFT JOIN (
    pg_publication_rel member
    JOIN pg_class class ON class.oid = member.prrelid AND class.relname = $3
    JOIN pg_namespace space ON space.oid = class.relnamespace AND space.nspname = $2
) ON member.prpubid = publication.oid
WHERE publication.pubname = $1";
