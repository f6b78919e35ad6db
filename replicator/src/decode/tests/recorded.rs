//! What the recorded messages decode to.

use arrow_schema::DataType;

use super::registry::avro_decoder;
use super::{TOPICS, at, avro_messages, cell, cells, json_messages, raw_batch};
use crate::change::{Op, Position};
use crate::decode::{Decoded, Decoder};

async fn json(topic: &str) -> Decoded {
    complete(Decoder::json().decode(&raw_batch(json_messages(topic))).await.unwrap(), topic)
}

async fn avro(topic: &str) -> Decoded {
    complete(avro_decoder().await.decode(&raw_batch(avro_messages(topic))).await.unwrap(), topic)
}

fn complete(decoded: Decoded, topic: &str) -> Decoded {
    assert_eq!(decoded.failure, None, "{topic}");
    decoded
}

#[tokio::test]
async fn both_formats_give_the_same_rows_of_every_table() {
    for topic in TOPICS {
        let (json, avro) = (json(topic).await, avro(topic).await);
        assert_eq!(json.next_offset, avro.next_offset, "{topic}");
        assert_eq!(json.changes.len(), avro.changes.len(), "{topic}");
        for (json, avro) in json.changes.iter().zip(&avro.changes) {
            assert_eq!(json.schema.key, avro.schema.key, "{topic}");
            // Avro renames the columns of Weird_Table.
            if topic != "public.Weird_Table" {
                assert_eq!(json.schema.arrow, avro.schema.arrow, "{topic}");
            }
            let ops = |batch: &crate::change::ChangeBatch| {
                batch.events.iter().map(|event| (event.offset, event.op, event.moves_key)).collect::<Vec<_>>()
            };
            assert_eq!(ops(json), ops(avro), "{topic}");
            assert_eq!(json.unchanged, avro.unchanged, "{topic}");
            assert_eq!(json.rows.columns(), avro.rows.columns(), "{topic}");
        }
    }
}

#[tokio::test]
async fn every_column_of_a_row_has_its_type_and_value() {
    let decoded = json("public.users").await;
    let (batch, row) = at(&decoded, 0);
    let expected = [
        ("id", "Int64", "1"),
        ("email", "Utf8", "u1@x.org"),
        ("name", "Utf8", "Näme 1"),
        ("age", "Int32", "21"),
        ("lvl", "Int16", "1"),
        ("score", "Float64", "1.1"),
        ("rating", "Float32", "0.5"),
        ("active", "Boolean", "false"),
        ("uid", "Utf8", "00000000-0000-4000-8000-000000000001"),
        ("created_at", "Timestamp(µs, \"UTC\")", "2024-01-02T01:04:06.678901Z"),
        ("updated_at", "Timestamp(µs)", "2024-01-02T03:04:05.678901"),
        ("ts3", "Timestamp(µs)", "2024-01-02T03:04:05.678"),
        ("ts0", "Timestamp(µs)", "2024-01-02T03:04:05"),
        ("birth", "Date32", "1999-12-31"),
        ("wake", "Utf8", "07:30:15.123456"),
        ("wake3", "Utf8", "07:30:15.123000"),
        ("wake_tz", "Utf8", "05:30:15.123456Z"),
        ("prefs", "Utf8", r#"{"a": 1, "b": [true, null, 1.50], "k": "ü"}"#),
        ("raw", "Utf8", r#"{"z":1,  "a":2}"#),
        ("avatar", "Binary", "deadbeef00ff"),
        ("tags", "List(Utf8, field: 'element')", "[a, b c, ∅]"),
        ("nums", "List(Int32, field: 'element')", "[1, 2, ∅]"),
        ("bigs", "List(Int64, field: 'element')", "[9007199254740993]"),
        ("decs", "List(Decimal128(10, 2), field: 'element')", "[1.50, -2.25]"),
        ("uids", "List(Utf8, field: 'element')", "[00000000-0000-4000-8000-000000000001]"),
        ("tss", "List(Timestamp(µs, \"UTC\"), field: 'element')", "[2024-01-02T01:04:05.678901Z]"),
        ("dts", "List(Date32, field: 'element')", "[2024-01-02]"),
        ("matrix", "List(Int32, field: 'element')", "[∅, ∅]"),
        ("mood", "Utf8", "happy"),
        ("moods", "List(Utf8, field: 'element')", "[sad, ok]"),
        ("balance", "Decimal128(12, 2)", "1234567890.12"),
        ("anynum", "Utf8", "123.45"),
        ("bignum", "Decimal128(38, 0)", "12345678901234567890123456789012345678"),
        ("ip", "Utf8", "10.0.0.1/24"),
        ("net", "Utf8", "10.0.0.0/8"),
        ("mac", "Utf8", "08:00:2b:01:02:03"),
        ("span", "Int64", "37091106789000"),
        ("ch", "Utf8", "ab   "),
        ("b1", "Boolean", "true"),
        ("bits", "Utf8", "1010"),
        ("vbits", "Utf8", "0000010101"),
        ("doc", "Utf8", "<a>x</a>"),
        ("cash", "Decimal128(19, 2)", "12.34"),
        ("pt", "Struct(\"x\": Float64, \"y\": Float64)", "{x: 1.5, y: 2.5}"),
        ("hs", "Utf8", r#"{"a":"1","b":null}"#),
        ("ci", "Utf8", "CaseIns"),
        ("lt", "Utf8", "top.a.b"),
        ("rng", "Utf8", "[1,10)"),
        ("tsr", "Utf8", r#"["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")"#),
        ("dom", "Int32", "7"),
        ("o", "Int64", "4294967295"),
        ("tsv", "Utf8", "'a' 'cat' 'fat'"),
        ("gen", "Int32", "42"),
    ];
    let fields = batch.schema.arrow.fields();
    assert_eq!(fields.len(), expected.len());
    for (field, (name, data_type, value)) in fields.iter().zip(expected) {
        assert_eq!((field.name().as_str(), field.data_type().to_string().as_str()), (name, data_type));
        assert!(field.is_nullable(), "{name}");
        assert_eq!(cell(batch, name, row), value, "{name}");
    }
}

#[tokio::test]
async fn nulls_infinities_and_not_a_number_survive() {
    let decoded = json("public.users").await;
    let (nulls, row) = at(&decoded, 1000);
    for field in nulls.schema.arrow.fields() {
        let given = ["id", "email", "active", "created_at", "mood"].contains(&field.name().as_str());
        assert_eq!(cell(nulls, field.name(), row) != "∅", given, "{}", field.name());
    }
    let (special, row) = at(&decoded, 1001);
    for (column, value) in [
        ("score", "NaN"),
        ("rating", "inf"),
        ("created_at", "9999-12-31T23:59:59.999999Z"),
        ("updated_at", "0001-01-01T00:00:00"),
        ("ts0", "9999-12-31T00:00:00"),
        ("birth", "9999-12-31"),
        ("wake", "24:00:00.000000"),
        ("prefs", "null"),
        ("avatar", ""),
        ("tags", "[]"),
        ("balance", "-0.01"),
        ("anynum", "0"),
        ("span", "-86400000000"),
    ] {
        assert_eq!(cell(special, column, row), value, "{column}");
    }
}

#[tokio::test]
async fn a_delete_has_its_key_and_nothing_else() {
    let decoded = avro("public.users").await;
    let (batch, row) = at(&decoded, 1006);
    assert_eq!(batch.events[row].op, Op::Delete);
    for field in batch.schema.arrow.fields() {
        // `before` holds empty text and the epoch for NOT NULL columns.
        let expected = if field.name() == "id" { "2" } else { "∅" };
        assert_eq!(cell(batch, field.name(), row), expected, "{}", field.name());
    }
}

#[tokio::test]
async fn a_change_of_key_is_a_marked_delete_and_a_create() {
    let decoded = json("public.products").await;
    let events: Vec<_> = decoded.changes.iter().flat_map(|batch| &batch.events).collect();
    let expected = [(10, Op::Update, false), (11, Op::Update, false), (12, Op::Update, false), (13, Op::Delete, true)];
    let found: Vec<_> = events.iter().map(|event| (event.offset, event.op, event.moves_key)).collect();
    assert_eq!(found[..4], expected);
    assert_eq!(found[4], (15, Op::Create, false));
    assert!(events[4].moved_key && !events[3].moved_key);
    assert!(events.iter().all(|event| event.message_ts_ms.is_some()));
    let (batch, row) = at(&decoded, 13);
    assert_eq!(batch.schema.key, [0, 1]);
    assert_eq!((cell(batch, "sku", row), cell(batch, "region", row)), ("sku3".to_owned(), "DE".to_owned()));
}

#[tokio::test]
async fn a_schema_change_starts_a_new_batch() {
    for decoded in [json("public.orders").await, avro("public.orders").await] {
        let columns = |name: &str| {
            let types = decoded.changes.iter().map(|batch| batch.schema.arrow.field_with_name(name).ok());
            types.map(|field| field.map(|field| field.data_type().clone())).collect::<Vec<_>>()
        };
        let total = [DataType::Decimal128(12, 2), DataType::Decimal128(14, 4)];
        let (narrow, wide) = (Some(total[0].clone()), Some(total[1].clone()));
        let (n, w) = (&narrow, &wide);
        assert_eq!(columns("total").iter().collect::<Vec<_>>(), [n, n, n, n, n, w, w]);
        let int = Some(DataType::Int32);
        assert_eq!(columns("extra"), [None, int.clone(), int, None, None, None, None]);
        assert_eq!(decoded.changes.iter().map(|batch| batch.events.len()).sum::<usize>(), 24);
    }
}

#[tokio::test]
async fn positions_come_from_the_sequence_and_rows_of_incremental_snapshots_have_none() {
    let decoded = json("public.part").await;
    let events: Vec<_> = decoded.changes.iter().flat_map(|batch| &batch.events).collect();
    assert_eq!(events[0].op, Op::Read { last: false });
    assert_eq!(events[0].position.unwrap().commit_lsn, 0);
    assert!(events[0].position.unwrap().lsn > 0);
    let incremental = events.iter().rev().take(3);
    assert!(incremental.clone().all(|event| matches!(event.op, Op::Read { .. }) && event.position.is_none()));

    let decoded = json("public.products").await;
    let (batch, row) = at(&decoded, 10);
    assert_eq!(batch.events[row].position, Some(Position { commit_lsn: 46_012_640, lsn: 46_012_696 }));
    assert!(batch.events[row].source_ts_ms > 1_795_248_000_000);
}

#[tokio::test]
async fn the_last_row_of_a_snapshot_is_marked() {
    // `last_in_data_collection`, `last`, and the first rows of a longer snapshot.
    for (topic, expected) in [
        ("other.users", &[true][..]),
        ("public.part", &[false, true, false, false, false]),
        ("public.users", &[false, false]),
    ] {
        let decoded = json(topic).await;
        let events = decoded.changes.iter().flat_map(|batch| &batch.events);
        let last = events.filter_map(|event| if let Op::Read { last } = event.op { Some(last) } else { None });
        assert_eq!(last.collect::<Vec<_>>(), expected, "{topic}");
    }
}

#[tokio::test]
async fn a_truncate_is_a_row_of_nulls_that_keeps_the_key_of_the_table() {
    let decoded = json("other.users").await;
    let batch = decoded.changes.last().unwrap();
    assert_eq!(batch.events.last().unwrap().op, Op::Truncate);
    assert_eq!(batch.schema.key, [0]);
    assert_eq!(cells(&decoded, "id").last().unwrap(), "∅");
}

#[tokio::test]
async fn a_table_without_a_key_has_none_until_it_gets_one() {
    let decoded = avro("public.nopk_default").await;
    let keys: Vec<_> = decoded.changes.iter().map(|batch| batch.schema.key.clone()).collect();
    assert_eq!(keys.first(), Some(&vec![]));
    assert_eq!(keys.last(), Some(&vec![0]));
}

#[tokio::test]
async fn names_stay_as_they_are_in_json_and_as_the_connector_renames_them_in_avro() {
    let name = |decoded: &Decoded, index: usize| decoded.changes[0].schema.arrow.field(index).name().clone();
    let (json, avro) = (json("public.Weird_Table").await, avro("public.Weird_Table").await);
    assert_eq!([0, 1, 2, 3].map(|index| name(&json, index)), ["Id-1", "select", "ünï", "a.b"]);
    assert_eq!([0, 1, 2, 3].map(|index| name(&avro, index)), ["Id_1", "select", "_n_", "a_b"]);
}

#[tokio::test]
async fn logical_messages_and_tombstones_are_skipped() {
    for decoded in [json("message").await, avro("message").await] {
        assert!(decoded.changes.is_empty());
        assert_eq!(decoded.next_offset, 2);
    }
    let mut messages = json_messages("public.products");
    messages.retain(|message| message.value.is_none());
    let decoded = Decoder::json().decode(&raw_batch(messages)).await.unwrap();
    assert!(decoded.changes.is_empty());
    assert_eq!(decoded.next_offset, 18);
}

#[tokio::test]
async fn avro_warns_of_columns_whose_null_becomes_a_default() {
    let warnings = avro("public.users").await.changes[0].schema.warnings.clone();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("\"mood\""), "{warnings:?}");
    assert!(json("public.users").await.changes[0].schema.warnings.is_empty());
}
