//! Good and bad documents. Each bad one also goes through the CRD's own rules, evaluated as the API server does.

use serde_json::{Value, json};

use super::{DocumentError, parse};
use crate::{CdcReplication, Duration, Scheme, Shape, Writes, check::check, document::schema};

fn smallest() -> Value {
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": {"name": "shop"},
        "spec": {
            "source": {"postgres": {"host": "db", "database": "shop", "credentials": {"secretName": "shop-db"}}},
            "tables": [{"name": "public.users"}, {"name": "public.orders"}],
            "kafka": {"external": {"bootstrapServers": "kafka-0:9092,kafka-1:9092"}},
            "destination": {"uri": "s3://lake/shop"}
        }
    })
}

/// The smallest document with the value at a JSON pointer replaced; `null` removes it.
fn with(pointer: &str, value: &Value) -> Value {
    let mut document = smallest();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, value) {
        (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value.clone(),
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value.clone())),
        _ => panic!("{pointer} is not in an object"),
    }
    document
}

#[test]
fn the_smallest_document_gets_the_documented_defaults() {
    let spec = parse(&smallest().to_string()).unwrap().spec;
    let postgres = spec.source.postgres.unwrap();
    assert_eq!((postgres.port, postgres.slot), (5432, None));
    assert_eq!((postgres.publication.name, postgres.publication.managed), (None, true));
    assert_eq!((spec.replicator.copy.connections, spec.replicator.copy.max_bytes_per_second), (2, None));
    assert_eq!(spec.tables[0].shapes, [Shape::Mirror]);
    assert_eq!(spec.tables[1].target(), "public/orders");
    assert!(spec.format.json.is_some() && spec.format.avro.is_none());
    assert_eq!(spec.destination.scheme(), Some(Scheme::S3));
    assert_eq!(spec.replicator.commit_interval, Duration::seconds(5));
    assert_eq!(spec.replicator.memory.bytes(), 256 << 20);
    assert_eq!(spec.replicator.http_port, 8080);
    assert_eq!(spec.replicator.index.storage.bytes(), 10 << 30);
    assert_eq!((spec.tables[0].writes, spec.tables[0].cluster_by.len()), (Writes::DeletionVectors, 0));
    assert_eq!(spec.maintenance.target_file_size.bytes(), 128 << 20);
    assert_eq!(spec.maintenance.history.to_string(), "168h");
    assert!(spec.maintenance.windows.is_empty());
}

#[test]
fn the_document_of_the_design_is_accepted_by_both_sets_of_rules() {
    let resource = parse(include_str!("shop.yaml")).unwrap();
    resource.validate_cel().unwrap();
    assert_eq!(resource.spec.tables[1].target(), "sales_orders");
    assert_eq!(resource.spec.tables[1].writes, Writes::CopyOnWrite);
    assert_eq!(resource.spec.maintenance.windows[0].to.to_string(), "04:00");
    let written = serde_json::to_string(&resource).unwrap();
    assert_eq!(parse(&written).unwrap(), resource);
}

#[test]
fn a_secret_beside_the_resource_does_not_disturb() {
    let file = format!("kind: Secret\nmetadata: {{name: lake}}\n---\n{}\n", smallest());
    assert_eq!(parse(&file).unwrap().metadata.name.as_deref(), Some("shop"));
}

#[test]
fn a_text_without_our_resource_says_how_one_begins() {
    for (text, expected) in [
        ("kind: Secret", "kind: CdcReplication"),
        ("", "kind: CdcReplication"),
        ("apiVersion: tributary.dev/v2\nkind: CdcReplication", "reads `apiVersion: tributary.dev/v1alpha1`"),
        ("kind: CdcReplication\n---\nkind: CdcReplication", "several"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(matches!(parse("a: [").unwrap_err(), DocumentError::Syntax(_)));
}

/// Values that cannot be read at all: pointer, value, path in the message, and words of the fix.
#[test]
fn a_value_that_cannot_be_read_is_named_with_path_and_fix() {
    for (pointer, value, path, fix) in [
        ("/spec/tabels", json!([]), "spec.tabels: there is no such field", "did you mean tables?"),
        ("/spec/source/postgres/hostname", json!("x"), "spec.source.postgres.hostname", "did you mean host?"),
        ("/spec/source/mysql", json!({}), "spec.source.mysql", "the fields here are postgres"),
        ("/spec/tables/1", json!({"name": "public.a", "Target": "a"}), "spec.tables[1].Target", "did you mean target?"),
        ("/metadata/nmae", json!("x"), "metadata.nmae", "did you mean name?"),
        ("/spec/format", json!({"json": {"schemas": true}}), "spec.format.json.schemas", "nothing can be set here"),
        ("/zzz", json!(1), "zzz", "the fields here are apiVersion, kind, metadata, spec"),
        ("/spec/source/postgres/port", json!("http"), "spec.source.postgres.port: invalid type", "Port of the server"),
        ("/spec/source/postgres/port", json!(70000), "spec.source.postgres.port: invalid value", "Port of the server"),
        (
            "/spec/source/postgres/host",
            Value::Null,
            "spec.source.postgres: missing field `host`",
            "add host. Host name",
        ),
        (
            "/spec/source/postgres/sslMode",
            json!("verify"),
            "spec.source.postgres.sslMode: unknown variant",
            "encrypted",
        ),
        ("/spec/tables", json!("public.users"), "spec.tables: invalid type", "The tables that are replicated"),
        ("/spec/tables/0", json!("public.users"), "spec.tables[0]: invalid type", "One table of the source"),
        ("/spec/replicator", json!({"commitInterval": "soon"}), "spec.replicator.commitInterval: \"soon\"", "500ms"),
        ("/spec/replicator", json!({"commitInterval": 5}), "spec.replicator.commitInterval", "500ms"),
        ("/spec/replicator", json!({"memory": "256MB"}), "spec.replicator.memory: \"256MB\"", "Bound of the messages"),
        ("/spec/maintenence", json!({}), "spec.maintenence: there is no such field", "did you mean maintenance?"),
        ("/spec/maintenance", json!({"window": []}), "spec.maintenance.window", "did you mean windows?"),
        (
            "/spec/maintenance",
            json!({"history": "7d"}),
            "spec.maintenance.history: \"7d\"",
            "How long an older version",
        ),
        (
            "/spec/maintenance",
            json!({"windows": [{"from": "22:00", "to": "24:00"}]}),
            "spec.maintenance.windows[0].to: \"24:00\"",
            "ends on the next day",
        ),
        ("/spec/maintenance", json!({"windows": [{"from": "22:00"}]}), "missing field `to`", "add to. When it ends"),
        (
            "/spec/tables/1",
            json!({"name": "public.a", "writes": "MergeOnRead"}),
            "spec.tables[1].writes: unknown variant",
            "`CopyOnWrite`",
        ),
        (
            "/spec/tables/1",
            json!({"name": "public.a", "clusterby": ["a"]}),
            "spec.tables[1]",
            "did you mean clusterBy?",
        ),
    ] {
        let error = parse(&with(pointer, &value).to_string()).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains(fix), "{pointer} = {value}: {error}");
    }
}

/// Who refuses a document, besides `check`.
#[derive(PartialEq)]
enum Server {
    /// A CEL rule of the CRD.
    Cel,
    /// A bound of the CRD's schema, which the CEL evaluation of the tests does not look at.
    Schema,
    /// Nobody before the operator's own check.
    Nobody,
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_document_that_breaks_a_rule_is_refused_with_path_and_fix_here_and_by_the_api_server() {
    use Server::{Cel, Nobody, Schema};
    let avro = |url: &str| json!({"avro": {"registryUrl": url}});
    let window = |from: &str, to: &str, times| json!({"windows": vec![json!({"from": from, "to": to}); times]});
    let many = (0..201).map(|n| json!({"name": format!("public.t{n}")})).collect::<Vec<_>>();
    for (pointer, value, path, fix, server) in [
        ("/metadata/name", json!("a".repeat(41)), "metadata.name", "at most 40", Cel),
        ("/metadata/name", json!("Shop"), "metadata.name", "lower-case", Schema),
        ("/metadata/name", Value::Null, "metadata.name", "give the resource a name", Cel),
        ("/spec/source", json!({}), "spec.source", "set spec.source.postgres", Cel),
        ("/spec/source/postgres/port", json!(0), "spec.source.postgres.port", "1 to 65535", Schema),
        ("/spec/source/postgres/database", json!(""), "spec.source.postgres.database", "give a value", Schema),
        ("/spec/tables", json!([]), "spec.tables", "list at least one", Schema),
        ("/spec/tables", json!(many), "spec.tables", "at most 200", Schema),
        ("/spec/tables/0/name", json!("users"), "spec.tables[0].name", "public.users", Cel),
        ("/spec/tables/0/name", json!("shop.public.users"), "spec.tables[0].name", "public.users", Cel),
        ("/spec/tables/0/name", json!("public.\"Users\""), "spec.tables[0].name", "without quotes", Cel),
        ("/spec/tables/1/name", json!("public.users"), "spec.tables[1].name", "remove one", Cel),
        ("/spec/tables/1/target", json!("public/users"), "spec.tables[1].target", "another target", Cel),
        ("/spec/tables/1/target", json!("public/users/x"), "spec.tables[1].target", "outside the other", Nobody),
        ("/spec/tables/1/target", json!("/abs"), "spec.tables[1].target", "sales/orders", Cel),
        ("/spec/tables/1/target", json!("a/../b"), "spec.tables[1].target", "sales/orders", Cel),
        ("/spec/tables/1/target", json!(""), "spec.tables[1].target", "sales/orders", Cel),
        ("/spec/tables/0/partitionBy", json!([""]), "spec.tables[0].partitionBy[0]", "give a value", Schema),
        ("/spec/tables/0/shapes", json!([]), "spec.tables[0].shapes", "Mirror", Schema),
        ("/spec/kafka", json!({}), "spec.kafka", "one of strimzi or external", Cel),
        ("/spec/kafka/strimzi", json!({}), "spec.kafka", "keep one of strimzi and external", Cel),
        ("/spec/kafka/external/bootstrapServers", json!("kafka"), "spec.kafka.external.bootstrapServers", ":9092", Cel),
        (
            "/spec/kafka/external/bootstrapServers",
            json!("a:1, b:1"),
            "spec.kafka.external.bootstrapServers",
            "spaces",
            Cel,
        ),
        ("/spec/kafka", json!({"strimzi": {"replicas": 0}}), "spec.kafka.strimzi.replicas", "1 to 9", Schema),
        ("/spec/kafka", json!({"strimzi": {"storage": "100Mi"}}), "spec.kafka.strimzi.storage", "at least 1Gi", Cel),
        ("/spec/connect", json!({"image": "a", "clusterName": "b"}), "spec.connect", "image and clusterName", Cel),
        ("/spec/format", json!({}), "spec.format", "one of json or avro", Cel),
        (
            "/spec/format",
            json!({"json": {}, "avro": {"registryUrl": "http://r/apis/ccompat/v7"}}),
            "spec.format",
            "keep one",
            Cel,
        ),
        ("/spec/format", avro("registry:8080"), "spec.format.avro.registryUrl", "http://host:port", Cel),
        (
            "/spec/format",
            avro("http://me:pw@r/apis/ccompat/v7"),
            "spec.format.avro.registryUrl",
            "http://host:port",
            Cel,
        ),
        ("/spec/format", avro("http://r:8080"), "spec.format.avro.registryUrl", "converter: Confluent", Cel),
        ("/spec/destination/uri", json!("gs://lake/shop"), "spec.destination.uri", "s3://bucket/prefix", Cel),
        ("/spec/destination/uri", json!("/data"), "spec.destination.uri", "file:///folder", Cel),
        ("/spec/destination/uri", json!("s3:///shop"), "spec.destination.uri", "s3://bucket/prefix", Cel),
        ("/spec/destination", json!({"uri": "file:///d", "s3": {}}), "spec.destination.s3", "remove", Cel),
        (
            "/spec/destination/s3",
            json!({"endpoint": "http://m:9000"}),
            "spec.destination.s3.endpoint",
            "allowHttp",
            Cel,
        ),
        ("/spec/destination/s3", json!({"endpoint": "m:9000"}), "spec.destination.s3.endpoint", "host:port", Cel),
        ("/spec/replicator", json!({"replicas": 0}), "spec.replicator.replicas", "1 to 64", Schema),
        (
            "/spec/replicator",
            json!({"copy": {"connections": 17}}),
            "spec.replicator.copy.connections",
            "0 to 16",
            Schema,
        ),
        (
            "/spec/replicator",
            json!({"copy": {"maxBytesPerSecond": "63Ki"}}),
            "spec.replicator.copy.maxBytesPerSecond",
            "at least 64Ki",
            Cel,
        ),
        ("/spec/source/postgres/slot", json!("Shop"), "spec.source.postgres.slot", "lower-case", Cel),
        (
            "/spec/source/postgres/publication",
            json!({"name": "a,b"}),
            "spec.source.postgres.publication.name",
            "lower-case",
            Cel,
        ),
        ("/spec/replicator", json!({"commitInterval": "0s"}), "spec.replicator.commitInterval", "100ms and 1h", Cel),
        ("/spec/replicator", json!({"commitInterval": "2h"}), "spec.replicator.commitInterval", "100ms and 1h", Cel),
        ("/spec/replicator", json!({"memory": "1Mi"}), "spec.replicator.memory", "at least 16Mi", Cel),
        ("/spec/replicator", json!({"commitSize": "1Gi"}), "spec.replicator.commitSize", "make it smaller", Cel),
        ("/spec/replicator", json!({"commitSize": "1k"}), "spec.replicator.commitSize", "at least 1Mi", Cel),
        (
            "/spec/replicator",
            json!({"index": {"storage": "1Mi"}}),
            "spec.replicator.index.storage",
            "at least 64Mi",
            Cel,
        ),
        ("/spec/tables/0/clusterBy", json!([""]), "spec.tables[0].clusterBy[0]", "give a value", Schema),
        ("/spec/tables/0/clusterBy", json!(["a", "b", "c", "d", "e"]), "spec.tables[0].clusterBy", "0 to 4", Schema),
        ("/spec/tables/0/clusterBy", json!(["a", "b", "a"]), "spec.tables[0].clusterBy[2]", "each column once", Cel),
        (
            "/spec/tables/0",
            json!({"name": "public.users", "partitionBy": ["day"], "clusterBy": ["id", "day"]}),
            "spec.tables[0].clusterBy[1]",
            "remove it from clusterBy",
            Cel,
        ),
        ("/spec/maintenance", json!({"targetFileSize": "7Mi"}), "spec.maintenance.targetFileSize", "8Mi and 1Gi", Cel),
        ("/spec/maintenance", json!({"targetFileSize": "2Gi"}), "spec.maintenance.targetFileSize", "8Mi and 1Gi", Cel),
        ("/spec/maintenance", json!({"history": "59m"}), "spec.maintenance.history", "1h and 8760h", Cel),
        ("/spec/maintenance", json!({"history": "9000h"}), "spec.maintenance.history", "1h and 8760h", Cel),
        ("/spec/maintenance", window("22:00", "22:00", 1), "spec.maintenance.windows[0].to", "leave out", Cel),
        ("/spec/maintenance", window("22:00", "04:00", 17), "spec.maintenance.windows", "0 to 16", Schema),
    ] {
        let document = with(pointer, &value);
        let resource: CdcReplication = serde_json::from_value(document.clone()).unwrap();
        let found = check(&resource);
        let text = format!("{found:#?}");
        assert_eq!(found.len(), 1, "{pointer} = {value}: {text}");
        assert!(found[0].path.starts_with(path) && found[0].fix.contains(fix), "{pointer} = {value}: {text}");
        assert_eq!(
            resource.validate_cel().is_err(),
            server == Cel,
            "{pointer} = {value}: {:?}",
            resource.validate_cel()
        );
        assert!(parse(&document.to_string()).is_err());
    }
}

#[test]
fn a_change_that_cannot_work_is_refused_with_field_and_fix() {
    let strimzi = |storage: &str| json!({"strimzi": {"replicas": 3, "storage": storage}});
    let avro = json!({"avro": {"registryUrl": "http://r/apis/ccompat/v7"}});
    for (pointer, old, new, words) in [
        ("/spec/source/postgres/database", json!("shop"), json!("shop2"), "source.postgres.database cannot be changed"),
        ("/spec/source/postgres/slot", json!("a"), json!("b"), "source.postgres.slot cannot be changed"),
        ("/spec/source/postgres/slot", Value::Null, json!("b"), "source.postgres.slot cannot be changed"),
        (
            "/spec/source/postgres/publication",
            json!({"name": "a"}),
            Value::Null,
            "source.postgres.publication.name cannot be changed",
        ),
        ("/spec/destination/uri", json!("s3://lake/shop"), json!("s3://lake/b"), "destination.uri cannot be changed"),
        ("/spec/format", json!({"json": {}}), avro, "format.json and format.avro cannot be exchanged"),
        ("/spec/kafka", strimzi("10Gi"), json!({"external": {"bootstrapServers": "k:1"}}), "cannot be exchanged"),
        ("/spec/kafka", strimzi("10Gi"), strimzi("9Gi"), "kafka.strimzi.storage can only grow"),
        ("/spec/kafka", strimzi("10Gi"), json!({"strimzi": {"replicas": 5, "storage": "10Gi"}}), "replicas is fixed"),
        ("/spec/tables/1/target", Value::Null, json!("elsewhere"), "the target of a table cannot be changed"),
        ("/spec/tables/1/target", json!("there"), Value::Null, "the target of a table cannot be changed"),
        ("/spec/tables/1/partitionBy", Value::Null, json!(["day"]), "partitionBy of a table cannot be changed"),
        ("/spec/tables/1/partitionBy", json!(["day"]), Value::Null, "partitionBy of a table cannot be changed"),
    ] {
        let [old, new] = [old, new].map(|value| parse(&with(pointer, &value).to_string()).unwrap());
        let refused = new.validate_cel_update(&old).unwrap_err();
        let text = format!("{refused:?}");
        assert!(refused.len() == 1 && text.contains(words), "{pointer}: {text}");
        assert!(old.validate_cel_update(&old).is_ok(), "{pointer}");
    }
}

#[test]
fn a_change_that_can_work_is_accepted() {
    let strimzi = |storage: &str, authentication: &str| json!({"strimzi": {"replicas": 3, "storage": storage, "authentication": authentication}});
    let (users, orders) = (json!({"name": "public.users"}), json!({"name": "public.orders"}));
    for (pointer, old, new) in [
        ("/spec/source/postgres/host", json!("db"), json!("db2")),
        ("/spec/source/postgres/publication", json!({"name": "a"}), json!({"name": "a", "managed": false})),
        ("/spec/kafka", strimzi("10Gi", "None"), strimzi("20Gi", "Tls")),
        ("/spec/kafka/external/bootstrapServers", json!("a:1"), json!("a:1,b:1")),
        // This evaluation pairs the tables by their place, the API server pairs them by name: the cluster's tests show
        // that a list may be put into another order.
        ("/spec/tables", json!([users]), json!([users, {"name": "public.orders", "target": "there"}])),
        ("/spec/tables", json!([users, orders]), json!([users])),
        ("/spec/tables/1/target", Value::Null, json!("public/orders")),
        ("/spec/tables/1/writes", json!("DeletionVectors"), json!("CopyOnWrite")),
        ("/spec/tables/1/writes", json!("CopyOnWrite"), json!("DeletionVectors")),
        ("/spec/tables/1/clusterBy", json!(["a", "b"]), json!(["b", "a"])),
        ("/spec/tables/1/clusterBy", json!(["a"]), Value::Null),
        ("/spec/maintenance", json!({"history": "168h"}), json!({"history": "1h", "targetFileSize": "1Gi"})),
        ("/spec/suspend", json!(false), json!(true)),
    ] {
        let [old, new] = [old, new].map(|value| parse(&with(pointer, &value).to_string()).unwrap());
        new.validate_cel_update(&old).unwrap_or_else(|refused| panic!("{pointer}: {refused:?}"));
    }
}

#[test]
fn two_tables_whose_topics_are_the_same_to_kafka_are_refused() {
    // Case C28 of the public reports is the second one.
    for [first, second] in [["public.a b", "public.a_b"], ["crm.sales_orders", "crm_sales.orders"]] {
        let document = with("/spec/tables", &json!([{"name": first}, {"name": second, "target": "other"}]));
        let error = parse(&document.to_string()).unwrap_err().to_string();
        assert!(error.contains("spec.tables[1].name: Kafka takes its topic "), "{error}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut document = with("/spec/format", &json!({"json": {}, "avro": {"registryUrl": "http://r/apis/ccompat/v7"}}));
    document["spec"]["kafka"] = json!({});
    document["spec"]["tables"][0]["name"] = json!("users");
    document["spec"]["suspended"] = json!(true);
    let error = parse(&document.to_string()).unwrap_err().to_string();
    assert!(error.starts_with("4 values of the document are wrong:"), "{error}");
    for path in ["spec.format", "spec.kafka", "spec.tables[0].name", "spec.suspended"] {
        assert!(error.contains(&format!("\n  {path}: ")), "{error}");
    }
}

#[test]
fn every_field_of_the_schema_has_a_description() {
    fn walk(place: &Value, path: &str, bare: &mut Vec<String>) {
        for (name, field) in place["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                bare.push(path.clone());
            }
            walk(field, &path, bare);
            walk(&field["items"], &path, bare);
        }
    }
    let mut bare = Vec::new();
    walk(&schema(), "", &mut bare);
    assert_eq!(bare, [] as [&str; 0]);
}
