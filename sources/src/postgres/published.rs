//! The publication, as the catalogue has it.

use super::{Session, SourceError};

/// What a comment on a publication has before the uid of the resource that keeps it.
const CLAIM: &str = "tributary.dev/uid=";

/// The publication.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent answers of the catalogue")]
pub struct Publication {
    /// Its object id: another one when it was dropped and made anew.
    pub oid: u32,
    /// Whether the user owns it, so that its tables can be changed.
    pub owned: bool,
    /// Whether it is `FOR ALL TABLES`, whose list cannot be changed.
    pub all_tables: bool,
    /// Whether inserts, updates, deletes and truncates are all published.
    pub all_operations: bool,
    /// Whether changes of a partition are published under the name of its table.
    pub via_root: bool,
    /// The tables that it was given.
    pub members: Vec<Member>,
    /// The schemas that it was given, with all their tables.
    pub schemas: Vec<String>,
    /// All tables whose changes are published under their own name, as `schema.table`.
    pub tables: Vec<String>,
    /// Uid of the resource that keeps it, if its comment names one.
    pub claimed_by: Option<String>,
}

/// A table that was added to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `schema.table`, as it is called now.
    pub name: String,
    /// Whether only some of its rows or columns are published.
    pub filtered: bool,
}

impl Publication {
    /// The resource that keeps it, if that is another one than the one with this uid.
    pub fn claimed_by_other(&self, uid: Option<&str>) -> Option<&str> {
        self.claimed_by.as_deref().filter(|claimed| Some(*claimed) != uid)
    }
}

/// The comment by which a resource says that a publication is its own.
pub(super) fn claim(resource: &str, uid: &str) -> String {
    format!("Kept by Tributary for the CdcReplication {resource}, {CLAIM}{uid}")
}

fn claimed_by(comment: &str) -> Option<String> {
    let (_, rest) = comment.split_once(CLAIM)?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// The publication of this name.
pub(super) async fn read_publication(
    session: &Session,
    server_version: i32,
    name: &str,
) -> Result<Option<Publication>, SourceError> {
    let failed = || SourceError::statement("read the publications");
    let Some(row) = session.query_opt(PUBLICATION, &[&name]).await.map_err(failed())? else { return Ok(None) };
    let members = session.query(MEMBERS, &[&name]).await.map_err(failed())?;
    // Before 15, a publication cannot have schemas.
    let schemas =
        if server_version < 150_000 { Vec::new() } else { session.query(SCHEMAS, &[&name]).await.map_err(failed())? };
    Ok(Some(Publication {
        oid: row.get(6),
        owned: row.get(0),
        all_tables: row.get(1),
        all_operations: row.get(2),
        via_root: row.get(3),
        claimed_by: row.get::<_, Option<&str>>(4).and_then(claimed_by),
        tables: row.get(5),
        members: members.iter().map(|row| Member { name: row.get(0), filtered: row.get(1) }).collect(),
        schemas: schemas.iter().map(|row| row.get(0)).collect(),
    }))
}

const PUBLICATION: &str = "
SELECT pg_has_role(pubowner, 'USAGE'), puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot,
    obj_description(oid, 'pg_publication'),
    ARRAY(SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1), oid
FROM pg_publication WHERE pubname = $1";

/// Filters came with 15; as JSON, a row has those columns that there are.
const MEMBERS: &str = "
SELECT space.nspname || '.' || class.relname,
    coalesce(to_jsonb(member) ->> 'prqual', to_jsonb(member) ->> 'prattrs') IS NOT NULL
FROM pg_publication_rel member
JOIN pg_publication publication ON publication.oid = member.prpubid
JOIN pg_class class ON class.oid = member.prrelid
JOIN pg_namespace space ON space.oid = class.relnamespace
WHERE publication.pubname = $1
ORDER BY 1";

const SCHEMAS: &str = "
SELECT space.nspname::text
FROM pg_publication_namespace member
JOIN pg_publication publication ON publication.oid = member.pnpubid
JOIN pg_namespace space ON space.oid = member.pnnspid
WHERE publication.pubname = $1
ORDER BY 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_belongs_to_the_resource_that_its_comment_names() {
        let claimed = |comment: &str| claimed_by(comment);
        assert_eq!(claimed(&claim("sales/shop", "u-1")).as_deref(), Some("u-1"));
        assert_eq!(claimed("tributary.dev/uid=u-2 and more").as_deref(), Some("u-2"));
        assert_eq!((claimed("of the sales department"), claimed("tributary.dev/uid=")), (None, None));
    }
}
