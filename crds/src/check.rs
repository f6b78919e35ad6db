//! The rules that relate values of a resource to each other, for programs that have no API server to check them.
//!
//! Every rule of the CRD (its CEL rules and bounds) is here too, and a few that CEL cannot say; the tests of `document`
//! hold the two against each other. Only the rules about changes are the CRD's alone: a file has no past.

mod kafka;
mod maintenance;
mod names;
mod storage;
mod tables;

use std::fmt;

use crate::CdcReplication;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a path such as `spec.tables[1].target`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl Violation {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  fix: {}", self.path, self.message, self.fix)
    }
}

/// Everything that is wrong with a resource; empty when it is right.
pub fn check(resource: &CdcReplication) -> Vec<Violation> {
    let mut found = Vec::new();
    names::metadata(&resource.metadata, &mut found);
    source(resource, &mut found);
    tables::tables(resource, &mut found);
    kafka::kafka(&resource.spec.kafka, &mut found);
    kafka::connect(&resource.spec.connect, &mut found);
    kafka::format(&resource.spec.format, &mut found);
    storage::destination(&resource.spec.destination, &mut found);
    storage::replicator(&resource.spec.replicator, &mut found);
    maintenance::maintenance(&resource.spec.maintenance, &mut found);
    found
}

fn source(resource: &CdcReplication, found: &mut Vec<Violation>) {
    let Some(postgres) = &resource.spec.source.postgres else {
        found.push(Violation::new("spec.source", "no database is given", "set spec.source.postgres"));
        return;
    };
    let path = "spec.source.postgres";
    names::length(&format!("{path}.host"), &postgres.host, 1..=253, found);
    names::length(&format!("{path}.database"), &postgres.database, 1..=63, found);
    names::port(&format!("{path}.port"), postgres.port, found);
    names::secret(&format!("{path}.credentials"), &postgres.credentials, found);
    if let Some(slot) = &postgres.slot {
        names::in_database(&format!("{path}.slot"), slot, "_", found);
    }
    if let Some(name) = &postgres.publication.name {
        names::in_database(&format!("{path}.publication.name"), name, "_-", found);
    }
}

/// Reports the fields of one object of which not exactly one is set.
fn exactly_one(path: &str, fields: &[(&str, bool)], found: &mut Vec<Violation>) {
    let names = |given: bool| fields.iter().filter(move |(_, set)| *set == given).map(|(name, _)| *name);
    let all = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
    match names(true).count() {
        0 => found.push(Violation::new(path, format!("none of {all} is given"), format!("give one of {all}"))),
        1 => {}
        _ => {
            let given = names(true).collect::<Vec<_>>().join(" and ");
            found.push(Violation::new(path, format!("{given} exclude each other"), format!("keep one of {given}")));
        }
    }
}
