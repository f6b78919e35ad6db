//! Keeps the publication of a resource equal to its tables, at the smallest change: a table that stays keeps its membership,
//! by which a reader sees that none of its changes was left out, and is not locked.

use std::fmt::Write;

use tributary_crds::{CdcReplication, Postgres};

use super::facts::{Facts, facts};
use super::finding::Finding;
use super::judge::judge;
use super::names::{is_managed, publication};
use super::published::{Publication, claim};
use super::tables::{Kind, Table};
use super::{Credentials, Session, SourceError, connect, sql};

/// One thing that has to change about the publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not there.
    Create,
    /// It leaves out some operations, or publishes partitions under their own names.
    Options,
    /// It has schemas, whose tables are not all listed.
    DropSchemas(Vec<String>),
    /// Tables that are not listed, or of which it has only a part.
    Drop(Vec<String>),
    /// Tables that are listed.
    Add(Vec<String>),
    /// Its comment does not name this resource.
    Claim {
        /// The resource, as `namespace/name`.
        resource: String,
        /// Its uid.
        uid: String,
    },
}

/// What has to change, in the order in which it is done; nothing when the publication is as it should be, or is not ours to
/// change. What stands in the way then is a finding of [`judge`].
pub fn publication_changes(facts: &Facts, resource: &CdcReplication) -> Vec<Change> {
    let uid = resource.metadata.uid.as_deref();
    if !is_managed(resource) || !Facts::is_usable(&facts.server) {
        return Vec::new();
    }
    let Some(publication) = &facts.publication else {
        let creates = facts.role.can_create;
        return if creates { created(facts, resource) } else { Vec::new() };
    };
    if publication.all_tables || !publication.owned || facts.publication_taken_by(uid).is_some() {
        return Vec::new();
    }
    altered(publication, facts, resource)
}

fn created(facts: &Facts, resource: &CdcReplication) -> Vec<Change> {
    let names = facts.tables.iter().filter(|table| is_publishable(table)).map(|table| table.name.clone()).collect();
    let changes = [Some(Change::Create), some(Change::Add, names), claiming(resource)];
    changes.into_iter().flatten().collect()
}

fn altered(publication: &Publication, facts: &Facts, resource: &CdcReplication) -> Vec<Change> {
    let is_listed = |name: &str| resource.spec.tables.iter().any(|table| table.name == name);
    let is_whole = |name: &str| publication.members.iter().any(|member| member.name == name && !member.filtered);
    let comes = facts.tables.iter().filter(|table| is_publishable(table) && !is_whole(&table.name));
    let comes: Vec<String> = comes.map(|table| table.name.clone()).collect();
    let leaves = publication.members.iter().map(|member| &member.name);
    let leaves = leaves.filter(|name| !is_listed(name) || comes.contains(name)).cloned().collect();
    let options = !publication.all_operations || !publication.via_root;
    let is_claimed = publication.claimed_by.as_deref() == resource.metadata.uid.as_deref();
    let changes = [
        options.then_some(Change::Options),
        some(Change::DropSchemas, publication.schemas.clone()),
        some(Change::Drop, leaves),
        some(Change::Add, comes),
        claiming(resource).filter(|_| !is_claimed),
    ];
    changes.into_iter().flatten().collect()
}

fn some(change: fn(Vec<String>) -> Change, names: Vec<String>) -> Option<Change> {
    (!names.is_empty()).then(|| change(names))
}

fn claiming(resource: &CdcReplication) -> Option<Change> {
    let uid = resource.metadata.uid.clone()?;
    Some(Change::Claim { resource: tributary_crds::topic::prefix(resource).replacen('.', "/", 1), uid })
}

/// Whether the server adds it, and goes on to take the application's own updates and deletes of it.
fn is_publishable(table: &Table) -> bool {
    matches!(table.kind, Some(Kind::Table | Kind::Partitioned))
        && table.owned
        && table.logged
        && table.has_key()
        && table.identity_has_key
}

impl Change {
    /// The statement that makes it.
    fn statement(&self, publication: &str) -> String {
        let name = sql::identifier(publication);
        match self {
            Self::Create => format!("CREATE PUBLICATION {name} WITH ({OPTIONS})"),
            Self::Options => format!("ALTER PUBLICATION {name} SET ({OPTIONS})"),
            Self::DropSchemas(schemas) => {
                let schemas: Vec<String> = schemas.iter().map(|schema| sql::identifier(schema)).collect();
                format!("ALTER PUBLICATION {name} DROP TABLES IN SCHEMA {}", schemas.join(", "))
            }
            Self::Drop(tables) => format!("ALTER PUBLICATION {name} DROP TABLE {}", only(tables)),
            Self::Add(tables) => format!("ALTER PUBLICATION {name} ADD TABLE {}", only(tables)),
            Self::Claim { resource, uid } => {
                format!("COMMENT ON PUBLICATION {name} IS '{}'", claim(resource, uid).replace('\'', "''"))
            }
        }
    }
}

/// All that happens to a row, and changes of partitions under the name of the table that is listed.
pub(super) const OPTIONS: &str = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";

/// Without `ONLY`, the tables that inherit from a table would come with it.
pub(super) fn only<'a>(tables: impl IntoIterator<Item = &'a String>) -> String {
    tables.into_iter().map(|table| format!("ONLY {}", sql::table(table))).collect::<Vec<_>>().join(", ")
}

/// Makes the publication what the resource needs, and says what was changed: nothing, if it was so already, is somebody else's,
/// or may not be changed. All of it is one transaction.
pub async fn publish(session: &Session, resource: &CdcReplication) -> Result<Vec<Change>, SourceError> {
    let facts = facts(session, resource).await?;
    change(session, resource, &facts).await
}

async fn change(session: &Session, resource: &CdcReplication, facts: &Facts) -> Result<Vec<Change>, SourceError> {
    let changes = publication_changes(facts, resource);
    let name = publication(resource);
    let statements = changes.iter().fold(String::new(), |mut all, change| {
        let _ = write!(all, "{}; ", change.statement(&name));
        all
    });
    if !statements.is_empty() {
        // Sent together, they are one transaction, which is undone as a whole.
        let done = session.batch_execute(&statements).await;
        done.map_err(SourceError::statement(format!("change the publication {name} ({})", statements.trim_end())))?;
    }
    Ok(changes)
}

/// Looks at the database, makes the publication what the resource needs, and says what stands in the way of the resource, or
/// might, after that. Beside it what was changed.
pub async fn prepare(
    resource: &CdcReplication,
    postgres: &Postgres,
    credentials: &Credentials,
) -> Result<(Facts, Vec<Finding>, Vec<Change>), SourceError> {
    let session = connect(postgres, credentials).await?;
    let mut facts = facts(&session, resource).await?;
    let changed = change(&session, resource, &facts).await;
    if changed.as_ref().is_ok_and(|changes| !changes.is_empty()) {
        facts = super::facts(&session, resource).await?;
    }
    let mut found = judge(&facts, resource);
    let changes = changed.unwrap_or_else(|error| {
        found.push(error.finding());
        // The sort is stable: what is wrong besides comes first, and says more than that a statement failed.
        found.sort_by_key(|finding| finding.severity);
        Vec::new()
    });
    Ok((facts, found, changes))
}

#[cfg(test)]
mod tests;
