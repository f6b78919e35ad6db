//! One database with nothing to say against it, and what each change of it brings.

use serde_json::json;
use tributary_crds::CdcReplication;

use super::super::columns::Column;
use super::super::facts::{Role, Server, Slot};
use super::super::published::{Member, Publication};
use super::super::tables::{Identity, Kind, Table};
use super::{Facts, judge};
use crate::postgres::{Failover, Severity};

fn resource(format: &serde_json::Value) -> CdcReplication {
    serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "sales"},
        "spec": {
            "source": {}, "tables": [{"name": "public.users"}], "kafka": {}, "destination": {"uri": "file:///lake"},
            "format": format,
        }
    }))
    .unwrap()
}

fn column(name: &str, base: &str) -> Column {
    Column {
        name: name.to_owned(),
        sql_type: base.to_owned(),
        base: base.to_owned(),
        is_enum: false,
        dimensions: 0,
        toastable: false,
        nullable_with_default: false,
        generated: false,
        in_key: name == "id",
    }
}

/// A database in which everything is right.
fn facts() -> Facts {
    Facts {
        failover: Failover::default(),
        server: Server {
            version: 170_004,
            wal_level: "logical".to_owned(),
            in_recovery: false,
            slots: 10,
            slots_used: 9,
            senders: 10,
            senders_used: 9,
            database: "shop".to_owned(),
            harmful_settings: Vec::new(),
        },
        role: Role { name: "cdc".to_owned(), superuser: false, replication: true, can_create: true },
        position: None,
        slot: None,
        publication: None,
        tables: vec![Table {
            name: "public.users".to_owned(),
            kind: Some(Kind::Table),
            owner: "app".to_owned(),
            owned: true,
            readable: true,
            row_security: false,
            logged: true,
            identity: Identity::Default,
            identity_has_key: true,
            columns: vec![column("id", "int8"), column("name", "text")],
        }],
    }
}

fn slot() -> Slot {
    Slot {
        plugin: Some("pgoutput".to_owned()),
        database: Some("shop".to_owned()),
        active: true,
        wal_status: "reserved".to_owned(),
        retained_bytes: Some(0),
        synced: false,
    }
}

fn publication() -> Publication {
    Publication {
        oid: 1,
        owned: true,
        all_tables: false,
        all_operations: true,
        via_root: true,
        members: vec![Member { name: "public.users".to_owned(), filtered: false }],
        schemas: Vec::new(),
        tables: vec!["public.users".to_owned()],
        claimed_by: None,
    }
}

/// What is found after one change: severity and reason of each finding.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<(Severity, &'static str)> {
    let mut facts = facts();
    change(&mut facts);
    let found = judge(&facts, &resource(&json!({"json": {}})));
    found.iter().map(|finding| (finding.severity, finding.reason)).collect()
}

#[test]
fn a_database_in_which_everything_is_right_has_no_findings() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|facts| (facts.slot, facts.publication) = (Some(slot()), Some(publication()))), []);
}

#[test]
fn each_thing_that_is_wrong_is_one_error_with_its_own_reason() {
    type Change = fn(&mut Facts);
    let changes: [(&str, Change); 25] = [
        ("ServerTooOld", |facts| facts.server.version = 130_010),
        ("ServerIsStandby", |facts| facts.server.in_recovery = true),
        ("WalLevelNotLogical", |facts| facts.server.wal_level = "replica".to_owned()),
        ("HarmfulSettings", |facts| facts.server.harmful_settings = vec!["extra_float_digits=0".to_owned()]),
        ("ReplicationNotPermitted", |facts| facts.role.replication = false),
        ("NoSlotFree", |facts| facts.server.slots_used = 10),
        ("NoSenderFree", |facts| facts.server.senders_used = 10),
        ("NoSenderFree", |facts| {
            facts.server.senders_used = 10;
            facts.slot = Some(Slot { active: false, ..slot() });
        }),
        ("SlotLost", |facts| facts.slot = Some(Slot { wal_status: "lost".to_owned(), ..slot() })),
        ("SlotForeign", |facts| facts.slot = Some(Slot { plugin: Some("wal2json".to_owned()), ..slot() })),
        ("SlotForeign", |facts| facts.slot = Some(Slot { database: Some("other".to_owned()), ..slot() })),
        ("SlotForeign", |facts| facts.slot = Some(Slot { plugin: None, database: None, ..slot() })),
        ("CreateNotPermitted", |facts| facts.role.can_create = false),
        ("PublicationForeign", |facts| facts.publication = Some(Publication { owned: false, ..publication() })),
        ("PublicationForeign", |facts| facts.publication = Some(Publication { all_tables: true, ..publication() })),
        ("SlotInUse", |facts| {
            facts.slot = Some(slot());
            facts.publication = Some(Publication { claimed_by: Some("another".to_owned()), ..publication() });
        }),
        ("TableMissing", |facts| facts.tables[0].kind = None),
        ("NotATable", |facts| facts.tables[0].kind = Some(Kind::Other)),
        ("NotOwner", |facts| facts.tables[0].owned = false),
        ("NotReadable", |facts| facts.tables[0].readable = false),
        ("RowSecurity", |facts| facts.tables[0].row_security = true),
        ("NotLogged", |facts| facts.tables[0].logged = false),
        ("NoPrimaryKey", |facts| facts.tables[0].columns[0].in_key = false),
        ("NoReplicaIdentity", |facts| facts.tables[0].identity = Identity::Nothing),
        ("ReplicaIdentityWithoutKey", |facts| {
            (facts.tables[0].identity, facts.tables[0].identity_has_key) = (Identity::Index, false);
        }),
    ];
    for (reason, change) in changes {
        assert_eq!(found(change), [(Severity::Error, reason)]);
    }
}

#[test]
fn a_publication_of_a_resource_that_is_gone_is_nothing_to_speak_of() {
    let left = |facts: &mut Facts| {
        facts.slot = Some(Slot { active: false, ..slot() });
        facts.publication = Some(Publication { claimed_by: Some("another".to_owned()), ..publication() });
    };
    assert_eq!(found(left), []);
}

#[test]
fn a_publication_that_somebody_else_keeps_must_have_all_that_is_needed_and_the_user_needs_no_right_to_change_it() {
    let mut resource = resource(&json!({"json": {}}));
    resource.spec.source = serde_json::from_value(json!({"postgres": {
        "host": "db", "database": "shop", "credentials": {"secretName": "db"},
        "publication": {"name": "sales", "managed": false},
    }}))
    .unwrap();
    let found = |change: fn(&mut Publication)| {
        let mut facts = facts();
        (facts.role.can_create, facts.tables[0].owned) = (false, false);
        let mut publication = Publication { owned: false, claimed_by: Some("another".to_owned()), ..publication() };
        change(&mut publication);
        (facts.slot, facts.publication) = (Some(slot()), Some(publication));
        judge(&facts, &resource).iter().map(|found| (found.reason, found.advice.clone())).collect::<Vec<_>>()
    };
    assert_eq!(found(|_| {}), []);
    let everything = |it: &mut Publication| (it.all_tables, it.members) = (true, Vec::new());
    assert_eq!(found(everything), []);
    assert_eq!(found(|it| it.tables.push("public.more".to_owned()))[0].0, "PublicationHasMore");
    let without = |it: &mut Publication| (it.tables, it.members) = (Vec::new(), Vec::new());
    let advice = r#"Run as owner of both: ALTER PUBLICATION "sales" ADD TABLE ONLY "public"."users";"#;
    assert_eq!(found(without), [("NotPublished", advice.to_owned())]);
    assert_eq!(found(|it| it.members[0].filtered = true)[0].0, "PublicationFiltered");
    assert_eq!(found(|it| it.all_operations = false)[0].0, "PublicationIncomplete");

    let missing = judge(&facts(), &resource);
    assert_eq!(missing.iter().map(|found| found.reason).collect::<Vec<_>>(), ["PublicationMissing"]);
    assert!(missing[0].advice.contains(r#"CREATE PUBLICATION "sales" FOR TABLE ONLY "public"."users" WITH"#));
}

#[test]
fn what_is_lost_of_a_column_is_a_warning() {
    let with = |column: Column| found(|facts| facts.tables[0].columns.push(column));
    for (column, reason) in [
        (Column { generated: true, ..column("sum", "int8") }, "GeneratedColumn"),
        (column("place", "address"), "UnsupportedType"),
        (Column { dimensions: 2, ..column("board", "int4") }, "UnsupportedType"),
        (Column { dimensions: 1, ..column("prices", "money") }, "UnsupportedType"),
        (Column { dimensions: 1, is_enum: true, ..column("moods", "mood") }, "NullInEnumArray"),
    ] {
        assert_eq!(with(column), [(Severity::Warning, reason)]);
    }
    for column in [
        Column { is_enum: true, ..column("mood", "mood") },
        Column { dimensions: 1, ..column("tags", "text") },
        Column { nullable_with_default: true, ..column("country", "bpchar") },
    ] {
        assert_eq!(with(column), []);
    }
}

#[test]
fn a_key_that_is_not_replicated_is_an_error() {
    let key = |facts: &mut Facts| "address".clone_into(&mut facts.tables[0].columns[0].base);
    assert_eq!(found(key), [(Severity::Error, "UnsupportedKeyType")]);
}

#[test]
fn a_type_that_stops_the_connector_is_an_error() {
    let flags = Column { dimensions: 1, ..column("flags", "bit") };
    assert_eq!(found(|facts| facts.tables[0].columns.push(flags)), [(Severity::Error, "UnreadableType")]);
}

#[test]
fn only_apicurios_converter_loses_nulls() {
    let mut facts = facts();
    facts.tables[0].columns[1].nullable_with_default = true;
    let reasons = |format| judge(&facts, &resource(&format)).iter().map(|found| found.reason).collect::<Vec<_>>();
    let avro = |converter: &str| json!({"avro": {"registryUrl": "http://r/apis/ccompat/v7", "converter": converter}});
    assert_eq!(reasons(avro("Apicurio")), ["NullBecomesDefault"]);
    assert!(reasons(avro("Confluent")).is_empty() && reasons(json!({"json": {}})).is_empty());
}

#[test]
fn the_log_that_is_kept_for_a_slot_without_a_reader_is_said_from_a_gibibyte_on() {
    let keeps = |active: bool, retained_bytes: Option<i64>| {
        let mut facts = facts();
        facts.slot = Some(Slot { active, retained_bytes, ..slot() });
        judge(&facts, &resource(&json!({"json": {}}))).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for quiet in [keeps(false, None), keeps(false, Some((1 << 30) - 1)), keeps(true, Some(1 << 40))] {
        assert_eq!(quiet, Vec::<String>::new());
    }
    let said = keeps(false, Some(5 << 30));
    assert!(said[0].contains("keeps more than 4 GiB of its log"), "{said:?}");
    assert_eq!(said, keeps(false, Some(7 << 30)), "it is not said anew with each change of the database");
}

#[test]
fn a_slot_that_falls_behind_is_a_warning_and_one_at_work_needs_no_sender() {
    let at_risk = |facts: &mut Facts| facts.slot = Some(Slot { wal_status: "unreserved".to_owned(), ..slot() });
    assert_eq!(found(at_risk), [(Severity::Warning, "SlotAtRisk")]);
    let full = |facts: &mut Facts| {
        (facts.server.senders_used, facts.server.slots_used, facts.slot) = (10, 10, Some(slot()));
    };
    assert_eq!(found(full), []);
}

#[test]
fn errors_come_before_warnings_and_each_finding_names_its_table() {
    let mut facts = facts();
    facts.tables[0].columns.push(column("place", "address"));
    facts.tables[0].owned = false;
    let found = judge(&facts, &resource(&json!({"json": {}})));
    assert_eq!(found.iter().map(|found| found.reason).collect::<Vec<_>>(), ["NotOwner", "UnsupportedType"]);
    assert!(found.iter().all(|found| found.table.as_deref() == Some("public.users")));
}

#[test]
fn advice_holds_sql_that_can_be_run_whatever_the_names_are() {
    let mut facts = facts();
    facts.role.name = "cdc user".to_owned();
    facts.tables[0].owner = "the \"app\"".to_owned();
    facts.tables[0].owned = false;
    let found = judge(&facts, &resource(&json!({"json": {}})));
    assert_eq!(found[0].advice, r#"Run: GRANT "the ""app""" TO "cdc user";"#);
}
