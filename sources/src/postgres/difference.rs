//! What changed at a table without any event, and what follows for its copy: the rules of the catalogue watch.

use super::catalogue::{Catalogue, CatalogueColumn};

/// Something about a table that is not as it was when the table was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What follows for the copy.
    pub remedy: Remedy,
    /// What is the case, as the end of a sentence about the table.
    pub what: String,
}

/// What follows from a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Rows that were there before the column show this value, as text.
    Fill {
        /// Name of the column.
        column: String,
        /// The value as Postgres writes it.
        value: String,
    },
    /// The stream alone does not lead to what the table holds now.
    CopyAnew,
    /// It cannot be replicated as it is.
    Stop,
}

/// All differences between a table as it was `copied` and as it is `now`. What every event says by itself is none: a column
/// that was added without a default or dropped, a truncate, rows that were only moved to another file.
pub fn differences(copied: &Catalogue, now: &Catalogue) -> Vec<Difference> {
    if copied.oid != now.oid {
        let what = "was dropped and created again, or another table has its name now";
        return vec![copy_anew(what.to_owned())];
    }
    let mut found: Vec<Difference> =
        refusal(now).map(|what| Difference { remedy: Remedy::Stop, what }).into_iter().collect();
    if copied.key != now.key {
        found.push(copy_anew(format!(
            "has the primary key {}, which was {}",
            names(now, &now.key),
            names(copied, &copied.key)
        )));
    }
    found.extend(copied.columns.iter().filter_map(|before| changed(before, now)));
    found.extend(
        now.columns
            .iter()
            .filter(|column| copied.column(column.number).is_none())
            .filter_map(|column| added(column, copied, now)),
    );
    found.extend(partitions(copied, now));
    let changed_back = now.traces.since(&copied.traces);
    found.extend(
        changed_back.map(|what| copy_anew(format!("{what}, and changes in between were not sent as they are now"))),
    );
    // The catalogue of a column changes for many reasons, and so does a file (VACUUM FULL): only both say that values changed.
    let redefined = |column: &&CatalogueColumn| {
        copied.column(column.number).is_some_and(|before| before.changed_by != column.changed_by)
    };
    if !found.iter().any(|difference| difference.remedy == Remedy::CopyAnew)
        && is_written_anew(copied, now)
        && let Some(column) = now.columns.iter().find(redefined)
    {
        found.push(copy_anew(format!("was written anew when its column {} was altered", column.name)));
    }
    found
}

/// Why a table cannot be replicated as it is and what to do, as the end of a sentence about it.
pub fn refusal(table: &Catalogue) -> Option<String> {
    if !table.inheritors.is_empty() {
        let inheritors = table.inheritors.join(", ");
        return Some(format!(
            "has tables that inherit from it, whose rows are not its own: {inheritors}. Copy what it is made of, or take it out of \
             spec.tables"
        ));
    }
    table.keyless_identity.then(|| {
        "has a replica identity without its primary key, so that deletes and changes of keys cannot be followed. Run ALTER TABLE … \
         REPLICA IDENTITY DEFAULT, of the table or the partition that has another one; it is copied anew then"
            .to_owned()
    })
}

fn copy_anew(what: String) -> Difference {
    Difference { remedy: Remedy::CopyAnew, what }
}

/// A column that is there still.
fn changed(before: &CatalogueColumn, now: &Catalogue) -> Option<Difference> {
    let column = now.column(before.number)?;
    if column.name != before.name {
        return Some(copy_anew(format!("has renamed its column {} to {}", before.name, column.name)));
    }
    if column.generated != before.generated {
        return Some(copy_anew(format!(
            "has made its column {} a stored one of its own, which it computed before",
            column.name
        )));
    }
    (column.sql_type != before.sql_type).then(|| {
        copy_anew(format!(
            "has the type {} for its column {}, which was {}",
            column.sql_type, column.name, before.sql_type
        ))
    })
}

fn added(column: &CatalogueColumn, copied: &Catalogue, now: &Catalogue) -> Option<Difference> {
    let name = &column.name;
    if copied.columns.iter().any(|before| before.name == *name) {
        return Some(copy_anew(format!("has dropped its column {name} and added another one of that name")));
    }
    if let Some(value) = &column.missing {
        let remedy = Remedy::Fill { column: name.clone(), value: value.clone() };
        return Some(Difference {
            remedy,
            what: format!("has a new column {name}, with a value in the rows that were there"),
        });
    }
    is_written_anew(copied, now)
        .then(|| copy_anew(format!("has a new column {name}, with values of its own in the rows that were there")))
}

/// Whether the rows of a table, or of a partition, are in another file.
fn is_written_anew(copied: &Catalogue, now: &Catalogue) -> bool {
    copied
        .storage
        .iter()
        .any(|before| now.storage(before.oid).is_some_and(|storage| storage.filenode != before.filenode))
}

/// Rows come and go with their partition, without an event. One that is empty brings none; and of one that was truncated
/// alone Postgres says nothing when it publishes by the root.
fn partitions(copied: &Catalogue, now: &Catalogue) -> Option<Difference> {
    let is_new = |oid: u32| copied.storage(oid).is_none();
    let came = now.storage.iter().filter(|storage| is_new(storage.oid) && !storage.is_empty).count();
    let went = copied.storage.iter().filter(|storage| now.storage(storage.oid).is_none()).count();
    if came + went > 0 {
        return Some(copy_anew(format!("has {came} more partitions with rows, and {went} that it had are gone")));
    }
    (now.is_partitioned() && is_written_anew(copied, now))
        .then(|| copy_anew("has a partition that was truncated or written anew".to_owned()))
}

fn names(catalogue: &Catalogue, key: &[i16]) -> String {
    let name = |number: &i16| catalogue.column(*number).map_or_else(|| "?".to_owned(), |column| column.name.clone());
    format!("({})", key.iter().map(name).collect::<Vec<_>>().join(", "))
}
