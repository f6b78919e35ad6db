//! What is changed about a publication, from what is there and what is listed.

use serde_json::json;
use tributary_crds::CdcReplication;

use super::super::facts::{Role, Server, Slot};
use super::super::published::Member;
use super::super::tables::Identity;
use super::*;
use crate::postgres::{Column, Failover};

fn resource(tables: &[&str]) -> CdcReplication {
    let tables: Vec<_> = tables.iter().map(|table| json!({ "name": table })).collect();
    serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "sales", "uid": "u-1"},
        "spec": {
            "source": {"postgres": {"host": "db", "database": "shop", "credentials": {"secretName": "db"}}},
            "tables": tables, "kafka": {}, "destination": {"uri": "file:///lake"},
        }
    }))
    .unwrap()
}

fn table(name: &str) -> Table {
    let key = Column {
        name: "id".to_owned(),
        sql_type: "int8".to_owned(),
        base: "int8".to_owned(),
        is_enum: false,
        dimensions: 0,
        toastable: false,
        nullable_with_default: false,
        generated: false,
        in_key: true,
    };
    Table {
        name: name.to_owned(),
        kind: Some(Kind::Table),
        owner: "app".to_owned(),
        owned: true,
        readable: true,
        row_security: false,
        logged: true,
        identity: Identity::Default,
        identity_has_key: true,
        columns: vec![key],
    }
}

/// A database with tables of these names, and no publication.
fn facts(tables: &[&str]) -> Facts {
    Facts {
        failover: Failover::default(),
        server: Server {
            version: 170_004,
            wal_level: "logical".to_owned(),
            in_recovery: false,
            slots: 10,
            slots_used: 1,
            senders: 10,
            senders_used: 1,
            database: "shop".to_owned(),
            harmful_settings: Vec::new(),
        },
        role: Role { name: "cdc".to_owned(), superuser: false, replication: true, can_create: true },
        position: None,
        slot: None,
        publication: None,
        tables: tables.iter().map(|name| table(name)).collect(),
    }
}

/// The same with a publication of the resource that has these tables.
fn published(tables: &[&str], members: &[&str]) -> Facts {
    let publication = Publication {
        oid: 1,
        owned: true,
        all_tables: false,
        all_operations: true,
        via_root: true,
        members: members.iter().map(|name| Member { name: (*name).to_owned(), filtered: false }).collect(),
        schemas: Vec::new(),
        tables: members.iter().map(|name| (*name).to_owned()).collect(),
        claimed_by: Some("u-1".to_owned()),
    };
    Facts { publication: Some(publication), ..facts(tables) }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn claimed() -> Change {
    Change::Claim { resource: "sales/shop".to_owned(), uid: "u-1".to_owned() }
}

#[test]
fn one_that_is_missing_is_made_with_those_tables_that_can_be_published() {
    let tables = ["public.a", "public.view", "public.gone", "public.keyless", "public.of another", "public.b"];
    let mut facts = facts(&tables);
    facts.tables[1].kind = Some(Kind::Other);
    facts.tables[2].kind = None;
    facts.tables[3].columns[0].in_key = false;
    facts.tables[4].owned = false;
    let changes = publication_changes(&facts, &resource(&tables));
    assert_eq!(changes, [Change::Create, Change::Add(names(&["public.a", "public.b"])), claimed()]);
    facts.role.can_create = false;
    assert_eq!(publication_changes(&facts, &resource(&tables)), []);
}

#[test]
fn only_tables_that_come_or_go_are_touched() {
    let listed = ["public.a", "public.b"];
    let changes = |members: &[&str]| publication_changes(&published(&listed, members), &resource(&listed));
    assert_eq!(changes(&["public.b", "public.a"]), []);
    assert_eq!(changes(&["public.a"]), [Change::Add(names(&["public.b"]))]);
    assert_eq!(changes(&["public.a", "public.b", "public.c"]), [Change::Drop(names(&["public.c"]))]);
    let replaced = [Change::Drop(names(&["public.c"])), Change::Add(names(&listed))];
    assert_eq!(changes(&["public.c"]), replaced);
}

#[test]
fn a_table_that_lost_its_key_stays_and_one_of_which_only_a_part_is_published_is_published_anew() {
    let listed = ["public.a"];
    let mut facts = published(&listed, &listed);
    facts.tables[0].columns[0].in_key = false;
    assert_eq!(publication_changes(&facts, &resource(&listed)), []);
    let filtered = |facts: &mut Facts| facts.publication.as_mut().unwrap().members[0].filtered = true;
    filtered(&mut facts);
    assert_eq!(publication_changes(&facts, &resource(&listed)), [], "it could not come back");
    facts.tables[0].columns[0].in_key = true;
    let anew = [Change::Drop(names(&listed)), Change::Add(names(&listed))];
    assert_eq!(publication_changes(&facts, &resource(&listed)), anew);
}

#[test]
fn options_schemas_and_the_comment_are_mended() {
    let listed = ["public.a"];
    let mended = |change: fn(&mut Publication)| {
        let mut facts = published(&listed, &listed);
        change(facts.publication.as_mut().unwrap());
        publication_changes(&facts, &resource(&listed))
    };
    assert_eq!(mended(|it| it.via_root = false), [Change::Options]);
    assert_eq!(mended(|it| it.all_operations = false), [Change::Options]);
    assert_eq!(mended(|it| it.schemas = names(&["public"])), [Change::DropSchemas(names(&["public"]))]);
    assert_eq!(mended(|it| it.claimed_by = None), [claimed()]);
}

#[test]
fn one_that_is_not_ours_to_change_is_left_alone() {
    let changes = |change: fn(&mut Publication)| {
        let mut facts = published(&["public.a"], &[]);
        change(facts.publication.as_mut().unwrap());
        publication_changes(&facts, &resource(&["public.a"])).len()
    };
    assert_eq!((changes(|_| {}), changes(|it| it.owned = false), changes(|it| it.all_tables = true)), (1, 0, 0));
    let mut resource = resource(&["public.a"]);
    resource.spec.source.postgres.as_mut().unwrap().publication.managed = false;
    assert_eq!(publication_changes(&facts(&["public.a"]), &resource), []);
    assert_eq!(publication_changes(&published(&["public.a"], &["public.b"]), &resource), []);
}

#[test]
fn the_one_of_another_resource_is_taken_over_only_when_nobody_reads_its_slot() {
    let listed = ["public.a"];
    let mut facts = published(&listed, &["public.b"]);
    facts.publication.as_mut().unwrap().claimed_by = Some("u-2".to_owned());
    let slot = |active| Slot {
        plugin: Some("pgoutput".to_owned()),
        database: Some("shop".to_owned()),
        active,
        wal_status: "reserved".to_owned(),
        retained_bytes: Some(0),
        synced: false,
    };
    facts.slot = Some(slot(true));
    assert_eq!(publication_changes(&facts, &resource(&listed)), []);
    facts.slot = Some(slot(false));
    let taken_over = [Change::Drop(names(&["public.b"])), Change::Add(names(&listed)), claimed()];
    assert_eq!(publication_changes(&facts, &resource(&listed)), taken_over);
}

#[test]
fn statements_quote_all_names_and_leave_out_what_inherits() {
    let statement = |change: Change| change.statement("p\"q");
    assert_eq!(
        statement(Change::Add(names(&["public.a", "Sales.Weird Table"]))),
        r#"ALTER PUBLICATION "p""q" ADD TABLE ONLY "public"."a", ONLY "Sales"."Weird Table""#
    );
    assert_eq!(
        statement(Change::Drop(names(&["public.a"]))),
        r#"ALTER PUBLICATION "p""q" DROP TABLE ONLY "public"."a""#
    );
    let claim = Change::Claim { resource: "it's/mine".to_owned(), uid: "u".to_owned() };
    assert!(
        statement(claim).ends_with("IS 'Kept by Tributary for the CdcReplication it''s/mine, tributary.dev/uid=u'")
    );
}
