//! What must hold for the publication: one that is ours can be changed, one of somebody else's has what we need.

use tributary_crds::CdcReplication;

use super::super::names::{is_managed, publication as publication_name, slot};
use super::super::publication::{OPTIONS, only};
use super::super::published::Publication;
use super::super::tables::{Kind, Table};
use super::{Facts, Finding, sql};

pub(super) fn publication(facts: &Facts, resource: &CdcReplication, found: &mut Vec<Finding>) {
    let name = publication_name(resource);
    if !is_managed(resource) {
        match &facts.publication {
            Some(publication) => kept_by_others(publication, &name, facts, found),
            None => found.push(missing(&name, facts)),
        }
    } else if let Some(other) = facts.publication_taken_by(resource.metadata.uid.as_deref()) {
        found.push(taken(other, &name, &slot(resource)));
    } else {
        own(facts, &name, found);
    }
}

fn own(facts: &Facts, name: &str, found: &mut Vec<Finding>) {
    let (user, quoted) = (sql::identifier(&facts.role.name), sql::identifier(name));
    match &facts.publication {
        None if !facts.role.can_create => {
            let database = sql::identifier(&facts.server.database);
            let message = format!("The user {user} may not create a publication in the database {database}");
            let advice = format!("Run as its owner: GRANT CREATE ON DATABASE {database} TO {user};");
            found.push(Finding::error("CreateNotPermitted", message, advice));
        }
        Some(Publication { all_tables: true, .. }) => {
            let message =
                format!("The publication {quoted} is FOR ALL TABLES, and the connector needs one of its own tables");
            found.push(Finding::error("PublicationForeign", message, format!("Drop it: DROP PUBLICATION {quoted};")));
        }
        Some(Publication { owned: false, .. }) => {
            let message =
                format!("The publication {quoted} belongs to somebody else, so {user} cannot change its tables");
            let advice = format!("Run: ALTER PUBLICATION {quoted} OWNER TO {user};");
            found.push(Finding::error("PublicationForeign", message, advice));
        }
        _ => {}
    }
}

/// Two clusters may have a resource of the same name, and one database.
fn taken(other: &str, publication: &str, slot: &str) -> Finding {
    let message = format!(
        "The replication slot {slot} is being read for another CdcReplication of the same name, with the uid {other}, which the \
         comment on the publication {publication} names"
    );
    let advice = "Give this resource another name. If the other one was deleted, this one goes on in its place as soon as nobody \
                  reads the slot any more.";
    Finding::error("SlotInUse", message, advice)
}

fn missing(name: &str, facts: &Facts) -> Finding {
    let tables: Vec<&String> = facts.tables.iter().filter(|table| is_there(table)).map(|table| &table.name).collect();
    let of = if tables.is_empty() { String::new() } else { format!("FOR TABLE {} ", only(tables)) };
    let quoted = sql::identifier(name);
    Finding::error(
        "PublicationMissing",
        format!("There is no publication {quoted}, and spec.source.postgres.publication.managed is false"),
        format!("Run as owner of the tables: CREATE PUBLICATION {quoted} {of}WITH ({OPTIONS});"),
    )
}

fn kept_by_others(publication: &Publication, name: &str, facts: &Facts, found: &mut Vec<Finding>) {
    let quoted = sql::identifier(name);
    let is_partitioned = |table: &Table| table.kind == Some(Kind::Partitioned);
    if !publication.all_operations || (!publication.via_root && facts.tables.iter().any(is_partitioned)) {
        found.push(Finding::error(
            "PublicationIncomplete",
            format!(
                "The publication {quoted} leaves out some operations, or publishes partitions under their own names: changes \
                 would be missing"
            ),
            format!("Run as its owner: ALTER PUBLICATION {quoted} SET ({OPTIONS});"),
        ));
    }
    for table in facts.tables.iter().filter(|table| is_there(table)) {
        found.extend(of_table(publication, &quoted, table));
    }
    found.extend(besides(publication, &quoted, facts));
}

/// The connector sends all that it is sent.
fn besides(publication: &Publication, quoted: &str, facts: &Facts) -> Option<Finding> {
    let is_listed = |name: &String| facts.tables.iter().any(|table| table.name == *name);
    let others = publication.tables.iter().filter(|name| !is_listed(name)).count();
    let message = format!(
        "The publication {quoted} has {others} tables that are not in spec.tables: their changes go to Kafka, where nobody reads them"
    );
    let advice = "Take them out of it, give this resource a publication of its own, or list them.";
    (others > 0).then(|| Finding::warning("PublicationHasMore", message, advice))
}

fn of_table(publication: &Publication, quoted: &str, table: &Table) -> Option<Finding> {
    let (name, listed) = (&table.name, only([&table.name]));
    // Which partitions are published follows from their table.
    let by_partitions = table.kind == Some(Kind::Partitioned) && !publication.via_root;
    let member = publication.members.iter().find(|member| member.name == *name);
    if member.is_some_and(|member| member.filtered) {
        let message = format!("The publication {quoted} has only some rows or columns of the table {name}");
        let advice = format!(
            "Run as its owner: ALTER PUBLICATION {quoted} DROP TABLE {listed}; ALTER PUBLICATION {quoted} ADD TABLE {listed};"
        );
        return Some(Finding::error("PublicationFiltered", message, advice).of(name));
    }
    if member.is_some() || by_partitions || publication.tables.contains(name) {
        return None;
    }
    let message = format!("The publication {quoted} has not the table {name}, so none of its changes is seen");
    let advice = format!("Run as owner of both: ALTER PUBLICATION {quoted} ADD TABLE {listed};");
    Some(Finding::error("NotPublished", message, advice).of(name))
}

fn is_there(table: &Table) -> bool {
    matches!(table.kind, Some(Kind::Table | Kind::Partitioned))
}
