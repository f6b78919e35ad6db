//! What the database says about itself, as plain values.

use tributary_crds::CdcReplication;

use super::failover::{Failover, failover};
use super::names::{publication, slot};
use super::position::{Position, position};
use super::published::{Publication, read_publication};
use super::tables::{Table, tables};
use super::{Session, SourceError};

/// The oldest version that Debezium supports: `server_version_num`.
pub(super) const OLDEST: i32 = 140_000;

/// All that a judgement needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The server.
    pub server: Server,
    /// Which server it is, and where its log is. `None` of one that cannot be used anyway.
    pub position: Option<Position>,
    /// The failover that it came from, if it has, and the next.
    pub failover: Failover,
    /// The user that the connector will be.
    pub role: Role,
    /// The resource's replication slot, if it is there.
    pub slot: Option<Slot>,
    /// The resource's publication, if it is there.
    pub publication: Option<Publication>,
    /// The resource's tables, in its order. Empty when the server cannot be used anyway.
    pub tables: Vec<Table>,
}

/// The server as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `server_version_num`, such as 170004.
    pub version: i32,
    /// `minimal`, `replica` or `logical`.
    pub wal_level: String,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// `max_replication_slots`.
    pub slots: i64,
    /// Slots that exist.
    pub slots_used: i64,
    /// `max_wal_senders`.
    pub senders: i64,
    /// Senders at work.
    pub senders_used: i64,
    /// Name of the database.
    pub database: String,
    /// Settings of the user's sessions in which values are sent in a form that the connector takes for other values: `name=value`.
    pub harmful_settings: Vec<String>,
}

/// The user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Whether it may read a replication slot: the attribute, or membership in what Amazon has in its place.
    pub replication: bool,
    /// Whether it may create a publication in the database.
    pub can_create: bool,
}

/// The replication slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The output plugin; none for a physical slot.
    pub plugin: Option<String>,
    /// Its database; none for a physical slot.
    pub database: Option<String>,
    /// Whether somebody reads from it now.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: String,
    /// Bytes of log that the server keeps for it.
    pub retained_bytes: Option<i64>,
    /// It was kept up to date on this server while that was a standby (from Postgres 17 on).
    pub synced: bool,
}

impl Facts {
    /// The resource that keeps the publication and whose connector reads the slot, if that is another one than the one with this
    /// uid. A claim whose slot nobody reads is that of a resource that is gone.
    pub fn publication_taken_by(&self, uid: Option<&str>) -> Option<&str> {
        let is_read = self.slot.as_ref().is_some_and(|slot| slot.active);
        self.publication.as_ref().filter(|_| is_read)?.claimed_by_other(uid)
    }

    /// Whether the server is one that the other questions can be put to.
    pub(super) fn is_usable(server: &Server) -> bool {
        server.version >= OLDEST && !server.in_recovery
    }
}

/// Asks for everything that [`judge`](super::judge) looks at.
pub async fn facts(session: &Session, resource: &CdcReplication) -> Result<Facts, SourceError> {
    let server = server(session).await?;
    let role = role(session).await?;
    if !Facts::is_usable(&server) {
        let failover = Failover::default();
        return Ok(Facts { server, position: None, failover, role, slot: None, publication: None, tables: Vec::new() });
    }
    Ok(Facts {
        position: Some(position(session).await?),
        failover: failover(session).await?,
        slot: read_slot(session, &slot(resource)).await?,
        publication: read_publication(session, server.version, &publication(resource)).await?,
        tables: tables(session, &resource.spec.tables).await?,
        server,
        role,
    })
}

pub(super) async fn server(session: &Session) -> Result<Server, SourceError> {
    let query = "SELECT current_setting('server_version_num')::int, current_setting('wal_level'), pg_is_in_recovery(),
        current_setting('max_replication_slots')::bigint, (SELECT count(*) FROM pg_replication_slots),
        current_setting('max_wal_senders')::bigint, (SELECT count(*) FROM pg_stat_replication), current_database()::text,
        ARRAY(SELECT name || '=' || setting FROM pg_settings WHERE name = 'IntervalStyle' AND setting = 'sql_standard'
            OR name = 'extra_float_digits' AND setting::int < 1 OR name = 'bytea_output' AND setting <> 'hex')";
    let row = session.query_one(query, &[]).await.map_err(SourceError::statement("read the server's settings"))?;
    Ok(Server {
        version: row.get(0),
        wal_level: row.get(1),
        in_recovery: row.get(2),
        slots: row.get(3),
        slots_used: row.get(4),
        senders: row.get(5),
        senders_used: row.get(6),
        database: row.get(7),
        harmful_settings: row.get(8),
    })
}

async fn role(session: &Session) -> Result<Role, SourceError> {
    // Attributes are not inherited, so a member of a role with REPLICATION has nothing of it; memberships are.
    let query = "SELECT rolname::text, rolsuper, rolreplication OR rolsuper OR EXISTS (
            SELECT FROM pg_roles cloud WHERE cloud.rolname IN ('rds_replication', 'rds_superuser')
            AND pg_has_role(current_user, cloud.oid, 'MEMBER')),
        has_database_privilege(current_database(), 'CREATE')
        FROM pg_roles WHERE rolname = current_user";
    let row = session.query_one(query, &[]).await.map_err(SourceError::statement("read the user's attributes"))?;
    Ok(Role { name: row.get(0), superuser: row.get(1), replication: row.get(2), can_create: row.get(3) })
}

async fn read_slot(session: &Session, name: &str) -> Result<Option<Slot>, SourceError> {
    let query = "SELECT plugin::text, database::text, active, coalesce(wal_status, 'lost'),
            pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
            coalesce((to_jsonb(slot) ->> 'synced')::bool, false)
        FROM pg_replication_slots slot WHERE slot_name = $1";
    let row = session.query_opt(query, &[&name]).await.map_err(SourceError::statement("read the replication slots"))?;
    Ok(row.map(|row| Slot {
        plugin: row.get(0),
        database: row.get(1),
        active: row.get(2),
        wal_status: row.get(3),
        retained_bytes: row.get(4),
        synced: row.get(5),
    }))
}
