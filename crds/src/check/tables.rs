//! Rules of the list of tables, and of the names that two tables must not share.

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, names};
use crate::{CdcReplication, TableSpec, topic};

/// Most tables of one resource, so that the API server accepts the cost of comparing them with each other.
const MAX_TABLES: usize = 200;

pub(super) fn tables(resource: &CdcReplication, found: &mut Vec<Violation>) {
    let tables = &resource.spec.tables;
    if tables.is_empty() {
        let fix = "list at least one table, such as `- name: public.users`";
        found.push(Violation::new("spec.tables", "no table is listed", fix));
    }
    if tables.len() > MAX_TABLES {
        let message = format!("{} tables are listed", tables.len());
        let fix = format!("use at most {MAX_TABLES} tables in one resource, and more resources");
        found.push(Violation::new("spec.tables", message, fix));
    }
    for (index, table) in tables.iter().enumerate() {
        one(&format!("spec.tables[{index}]"), table, found);
    }
    shared(resource, found);
    nested(tables, found);
}

fn one(path: &str, table: &TableSpec, found: &mut Vec<Violation>) {
    if !is_table_name(&table.name) {
        let message = format!("\"{}\" is not schema.table", table.name);
        let fix = "write the schema, one dot and the table, without quotes, such as public.users";
        found.push(Violation::new(format!("{path}.name"), message, fix));
    }
    if let Some(target) = table.target.as_deref().filter(|target| !is_target(target)) {
        let message = format!("\"{target}\" is not a relative folder");
        let fix = "use letters, digits, '.', '_', '=', '-' and '/' between them, such as sales/orders; at most 127";
        found.push(Violation::new(format!("{path}.target"), message, fix));
    }
    columns(&format!("{path}.partitionBy"), &table.partition_by, 8, found);
    columns(&format!("{path}.clusterBy"), &table.cluster_by, 4, found);
    sorted_by(path, table, found);
    if table.shapes.is_empty() {
        let fix = "remove the field, which means [Mirror]";
        found.push(Violation::new(format!("{path}.shapes"), "no shape is listed", fix));
    }
    if table.shapes.len() > 1 {
        let fix = "list each shape once; this version has only Mirror";
        found.push(Violation::new(format!("{path}.shapes"), "a shape is listed twice", fix));
    }
}

fn columns(path: &str, columns: &[String], most: i64, found: &mut Vec<Violation>) {
    names::range(&format!("{path} (number of columns)"), columns.len() as i64, 0..=most, found);
    for (index, column) in columns.iter().enumerate() {
        names::length(&format!("{path}[{index}]"), column, 1..=63, found);
    }
}

/// Columns by which sorting again, or sorting within a partition, changes nothing.
fn sorted_by(path: &str, table: &TableSpec, found: &mut Vec<Violation>) {
    for (index, column) in table.cluster_by.iter().enumerate() {
        let path = format!("{path}.clusterBy[{index}]");
        if table.cluster_by[..index].contains(column) {
            found.push(Violation::new(path, format!("{column} is listed already"), "list each column once"));
        } else if table.partition_by.contains(column) {
            let message = format!("{column} is a column of partitionBy, and so the same in all rows of a file");
            found.push(Violation::new(path, message, "remove it from clusterBy"));
        }
    }
}

fn is_table_name(name: &str) -> bool {
    let part = |part: &str| (1..=63).contains(&part.chars().count()) && !part.contains(['.', '"']);
    name.chars().count() <= 127 && name.split_once('.').is_some_and(|(schema, table)| part(schema) && part(table))
}

fn is_target(target: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || "._=-".contains(c))
    };
    target.len() <= 127 && target.split('/').all(segment)
}

/// Two tables with the same name, the same target, or topics that are the same to Kafka.
fn shared(resource: &CdcReplication, found: &mut Vec<Violation>) {
    let (mut names, mut targets, mut topics) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (index, table) in resource.spec.tables.iter().enumerate() {
        let path = format!("spec.tables[{index}]");
        if let Some(first) = names.insert(table.name.clone(), index) {
            let message = format!("{} is listed already as spec.tables[{first}]", table.name);
            found.push(Violation::new(format!("{path}.name"), message, "remove one of the two"));
            continue;
        }
        // In the names of its metrics Kafka writes `_` for `.`, and makes no topic whose name is another one's then.
        if let Some(first) = topics.insert(topic::data(resource, table).replace('.', "_"), index) {
            let message = format!(
                "Kafka takes its topic {} for that of spec.tables[{first}], {}: it does not tell dots from underscores",
                topic::data(resource, table),
                topic::data(resource, &resource.spec.tables[first]),
            );
            let fix = "rename one of the two tables, or replicate it with a resource of its own";
            found.push(Violation::new(format!("{path}.name"), message, fix));
        } else if let Some(first) = targets.insert(table.target(), index) {
            let message = format!("spec.tables[{first}] has the same target, {}", table.target());
            found.push(Violation::new(format!("{path}.target"), message, "give one of the two another target"));
        }
    }
}

/// A table inside the folder of another one: cleaning up the outer one would remove the inner one's files.
fn nested(tables: &[TableSpec], found: &mut Vec<Violation>) {
    let targets: BTreeSet<String> = tables.iter().map(TableSpec::target).collect();
    for (index, table) in tables.iter().enumerate() {
        let target = table.target();
        let outer = target.match_indices('/').map(|(at, _)| &target[..at]).find(|outer| targets.contains(*outer));
        if let Some(outer) = outer {
            let message = format!("{target} lies inside {outer}, the target of another table");
            let fix = "give one of the two a target outside the other";
            found.push(Violation::new(format!("spec.tables[{index}].target"), message, fix));
        }
    }
}
