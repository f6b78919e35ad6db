//! Each way in which a message cannot be decoded, and that what stands before it is.

use serde_json::{Value, json};
use url::Url;

use super::registry::{avro_decoder, avro_decoder_of, client};
use super::{Message, avro_messages, cells, json_messages, message, raw_batch};
use crate::decode::{DecodeErrorKind, Decoded, Decoder, RegistryError};

/// A JSON envelope of a table with the key column `id` and a column `v`, and its message key.
struct Table {
    column: Value,
}

impl Table {
    fn with(column: Value) -> Self {
        let mut column = column;
        column["field"] = "v".into();
        column["optional"] = true.into();
        Self { column }
    }

    fn schema(&self) -> Value {
        let row = |field: &str| {
            let id = json!({"type": "int32", "optional": false, "field": "id"});
            json!({"type": "struct", "optional": true, "field": field, "fields": [id, self.column]})
        };
        let text = |field: &str| json!({"type": "string", "optional": true, "field": field});
        let number = |field: &str| json!({"type": "int64", "optional": true, "field": field});
        let source = json!({"type": "struct", "field": "source",
            "fields": [number("ts_ms"), number("lsn"), text("sequence"), text("snapshot")]});
        json!({"type": "struct", "fields": [row("before"), row("after"), source, text("op")]})
    }

    /// A message with `payload` over that of an insert of `v` = `value`.
    fn message(&self, offset: i64, value: impl Into<Value>, changes: Value) -> Message {
        let source = json!({"ts_ms": 1, "lsn": 2, "sequence": "[\"1\",\"2\"]", "snapshot": "false"});
        let mut payload =
            json!({"before": null, "after": {"id": offset, "v": value.into()}, "source": source, "op": "c"});
        if let Value::Object(changes) = changes {
            payload.as_object_mut().unwrap().extend(changes);
        }
        let key = json!({"schema": {"type": "struct", "fields": [{"type": "int32", "field": "id"}]},
            "payload": {"id": offset}});
        Message { key: Some(key.to_string().into_bytes()), ..message(offset, value_bytes(&self.schema(), &payload)) }
    }
}

/// `schema` before `payload`, as Connect writes them.
fn value_bytes(schema: &Value, payload: &Value) -> Vec<u8> {
    format!(r#"{{"schema":{schema},"payload":{payload}}}"#).into_bytes()
}

fn text_table() -> Table {
    Table::with(json!({"type": "string"}))
}

/// Decodes two good messages, then `bad`, then a good one.
async fn among_good_ones(bad: Message) -> Decoded {
    let good = |offset| text_table().message(offset, "good", Value::Null);
    let batch = raw_batch([good(5), good(6), Message { offset: 7, ..bad }, good(8)]);
    let mut decoder = Decoder::json();
    let before = decoder.decode(&batch).await.unwrap();
    assert_eq!(cells(&before, "id"), ["5", "6"]);
    assert_eq!(before.next_offset, 7);
    let rest = decoder.decode_from(&batch, 3).await.unwrap();
    assert_eq!(cells(&rest, "id"), ["8"]);
    assert_eq!((rest.next_offset, rest.failure), (9, None));
    before
}

async fn kind_of(bad: Message) -> DecodeErrorKind {
    let failure = among_good_ones(bad).await.failure.unwrap();
    assert_eq!((&*failure.topic, failure.partition, failure.offset), ("topic", 0, 7));
    failure.kind
}

async fn kind_of_value(value: &str) -> DecodeErrorKind {
    kind_of(message(7, value)).await
}

#[tokio::test]
async fn what_is_not_json_is_named() {
    for garbage in ["", "garbage", "{\"schema\":", "\u{0}\u{0}\u{0}"] {
        assert_eq!(kind_of_value(garbage).await, DecodeErrorKind::NotJson { part: "value" }, "{garbage}");
    }
    let key = Some(b"garbage".to_vec());
    let message = Message { key, ..text_table().message(7, Value::Null, Value::Null) };
    assert_eq!(kind_of(message).await, DecodeErrorKind::NotJson { part: "key" });
}

#[tokio::test]
async fn json_without_a_schema_is_named() {
    for value in [r#"{"before":null,"after":{"id":1},"op":"c"}"#, r#"{"schema":null,"payload":{"id":1}}"#, "[1]", "7"] {
        assert_eq!(kind_of_value(value).await, DecodeErrorKind::NoSchema { part: "value" }, "{value}");
    }
    let kind = kind_of_value(r#"{"schema":{"kind":"struct"},"payload":{"id":1}}"#).await;
    assert!(matches!(kind, DecodeErrorKind::BadSchema { part: "value", .. }), "{kind}");
}

#[tokio::test]
async fn a_value_that_is_no_envelope_is_named() {
    let row = json!({"type": "struct", "fields": [{"type": "int32", "field": "id"}]});
    let kind = kind_of(message(7, value_bytes(&row, &json!({"id": 1})))).await;
    assert_eq!(kind, DecodeErrorKind::NotAnEnvelope);
    assert!(kind.to_string().contains("ExtractNewRecordState"));
}

#[tokio::test]
async fn a_key_that_is_not_made_of_columns_is_named() {
    let with_key = |key: Value| Message {
        key: Some(key.to_string().into_bytes()),
        ..text_table().message(7, Value::Null, Value::Null)
    };
    let kind = kind_of(with_key(json!({"schema": {"type": "string"}, "payload": "k"}))).await;
    assert_eq!(kind, DecodeErrorKind::KeyNotAStruct);
    let schema = json!({"type": "struct", "fields": [{"type": "int32", "field": "other"}]});
    let kind = kind_of(with_key(json!({"schema": schema, "payload": {"other": 1}}))).await;
    assert_eq!(kind, DecodeErrorKind::KeyColumnMissing { column: "other".to_owned() });
}

#[tokio::test]
async fn an_operation_that_is_not_known_is_named_and_a_logical_message_is_skipped() {
    let with_op = |op: &str| text_table().message(7, "secret", json!({"op": op}));
    assert_eq!(kind_of(with_op("x")).await, DecodeErrorKind::UnsupportedOp { op: "x".to_owned() });

    let good = |offset| text_table().message(offset, "good", Value::Null);
    let decoded = Decoder::json().decode(&raw_batch([good(6), with_op("m"), good(8)])).await.unwrap();
    assert_eq!(decoded.failure, None);
    assert_eq!(cells(&decoded, "id"), ["6", "8"]);
    let decoded = Decoder::json().decode(&raw_batch([with_op("m")])).await.unwrap();
    assert_eq!((decoded.changes.len(), decoded.next_offset), (0, 8));
}

#[tokio::test]
async fn an_event_without_its_row_is_named() {
    let with = |changes: Value| text_table().message(7, Value::Null, changes);
    let kind = kind_of(with(json!({"after": null}))).await;
    assert_eq!(kind, DecodeErrorKind::RowMissing { op: 'c', field: "after" });
    let kind = kind_of(with(json!({"after": null, "op": "d"}))).await;
    assert_eq!(kind, DecodeErrorKind::RowMissing { op: 'd', field: "before" });
}

#[tokio::test]
async fn a_sequence_that_is_none_is_named() {
    let source = json!({"ts_ms": 1, "lsn": 2, "sequence": "binlog.000003", "snapshot": "false"});
    let kind = kind_of(text_table().message(7, Value::Null, json!({"source": source}))).await;
    assert_eq!(kind, DecodeErrorKind::BadSequence);
}

#[tokio::test]
async fn a_payload_that_does_not_fit_its_schema_is_named() {
    let table = text_table();
    let wrong_type = table.message(7, json!({"secret": 1}), Value::Null);
    assert_eq!(kind_of(wrong_type).await, DecodeErrorKind::Damaged);

    // One message must give one row, neither none nor two, and must not run into the next.
    let schema = table.schema();
    for payload in ["", "{", "{}{}", "{},\"more\":{}", r#"{"op":"c""#] {
        let value = format!(r#"{{"schema":{schema},"payload":{payload}}}"#);
        let kind = kind_of_value(&value).await;
        assert!(matches!(kind, DecodeErrorKind::Damaged | DecodeErrorKind::NotJson { .. }), "{payload}: {kind}");
    }
}

#[tokio::test]
async fn a_column_that_delta_cannot_hold_is_named() {
    let table = Table::with(json!({"type": "map", "keys": {"type": "int16"}, "values": {"type": "double"},
        "name": "io.debezium.data.SparseDoubleVector"}));
    let kind = kind_of(table.message(7, Value::Null, Value::Null)).await;
    let column_type = "io.debezium.data.SparseDoubleVector".to_owned();
    assert_eq!(kind, DecodeErrorKind::UnsupportedType { column: "v".to_owned(), column_type });

    let future = Table::with(json!({"type": "int64", "name": "io.debezium.time.Fortnight"}));
    let kind = kind_of(future.message(7, json!(1), Value::Null)).await;
    assert!(matches!(kind, DecodeErrorKind::UnsupportedType { .. }), "{kind}");
}

#[tokio::test]
async fn a_value_out_of_range_is_named_by_its_column_and_never_shown() {
    let date = Table::with(json!({"type": "int32", "name": "io.debezium.time.Date"}));
    let decimal = Table::with(json!({"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal",
        "parameters": {"scale": "0", "connect.decimal.precision": "1"}}));
    let zoned = Table::with(json!({"type": "string", "name": "io.debezium.time.ZonedTimestamp"}));
    for (table, value) in
        [(date, json!(i32::MAX)), (decimal, json!("ew==")), (zoned, json!("+294277-01-01T00:00:00.123456Z"))]
    {
        let kind = kind_of(table.message(7, value.clone(), Value::Null)).await;
        assert!(matches!(&kind, DecodeErrorKind::OutOfRange { column, .. } if column == "v"), "{kind}");
        assert!(!kind.to_string().contains(&value.to_string()));
    }
    let short = Table::with(json!({"type": "int16"}));
    assert_eq!(kind_of(short.message(7, json!(40_000), Value::Null)).await, DecodeErrorKind::Damaged);
}

#[tokio::test]
async fn a_value_that_is_not_written_as_its_type_says_is_named() {
    let zoned = Table::with(json!({"type": "string", "name": "io.debezium.time.ZonedTimestamp"}));
    let bytes = Table::with(json!({"type": "bytes"}));
    for (table, value) in [(zoned, "tomorrow"), (bytes, "not base64!")] {
        let kind = kind_of(table.message(7, value, Value::Null)).await;
        assert!(matches!(&kind, DecodeErrorKind::Malformed { column, .. } if column == "v"), "{kind}");
        assert!(!kind.to_string().contains(value));
    }
}

#[tokio::test]
async fn one_bad_message_among_thousands_is_found() {
    let table = text_table();
    let good = |offset| table.message(offset, "good", Value::Null);
    let mut messages: Vec<_> = (0..5_000).map(good).collect();
    messages[4_321] = table.message(4_321, json!(["secret"]), Value::Null);
    let decoded = Decoder::json().decode(&raw_batch(messages)).await.unwrap();
    assert_eq!(decoded.next_offset, 4_321);
    assert_eq!(decoded.changes.iter().map(|batch| batch.events.len()).sum::<usize>(), 4_321);
    let failure = decoded.failure.unwrap();
    assert_eq!(failure.kind, DecodeErrorKind::Damaged);
    assert!(!failure.to_string().contains("secret"));
}

#[tokio::test]
async fn json_of_another_layout_is_read_as_well() {
    let table = text_table();
    let value = table.message(1, "spaced", Value::Null).value.unwrap();
    let value: Value = serde_json::from_slice(&value).unwrap();
    let spaced = serde_json::to_string_pretty(&value).unwrap();
    let reversed = format!(r#"{{"payload":{},"schema":{}}}"#, value["payload"], value["schema"]);
    let decoded = Decoder::json().decode(&raw_batch([message(1, spaced), message(2, reversed)])).await.unwrap();
    assert_eq!(decoded.failure, None);
    assert_eq!(cells(&decoded, "v"), ["spaced", "spaced"]);
}

#[tokio::test]
async fn a_null_payload_is_a_tombstone() {
    let value = format!(r#"{{"schema":{},"payload":null}}"#, text_table().schema());
    let batch = raw_batch([message(1, value), message(2, r#"{"schema":null,"payload":null}"#)]);
    let decoded = Decoder::json().decode(&batch).await.unwrap();
    assert_eq!((decoded.changes.len(), decoded.next_offset, decoded.failure), (0, 3, None));
}

/// Decodes a recorded Avro message with another value after a good one.
async fn avro_kind(change: impl Fn(&mut Message)) -> DecodeErrorKind {
    let mut messages = avro_messages("public.part");
    messages.truncate(3);
    change(&mut messages[1]);
    let decoded = avro_decoder().await.decode(&raw_batch(messages)).await.unwrap();
    assert_eq!(cells(&decoded, "id").len(), 1);
    assert_eq!(decoded.next_offset, 1);
    decoded.failure.unwrap().kind
}

#[tokio::test]
async fn avro_without_the_magic_byte_is_named() {
    for garbage in [&b""[..], b"\x01\x00\x00\x00\x10", b"\x00\x00\x00", b"{}"] {
        let kind = avro_kind(|message| message.value = Some(garbage.to_vec())).await;
        assert_eq!(kind, DecodeErrorKind::NotConfluent { part: "value" });
        let kind = avro_kind(|message| message.key = Some(garbage.to_vec())).await;
        assert_eq!(kind, DecodeErrorKind::NotConfluent { part: "key" });
    }
}

#[tokio::test]
async fn a_schema_id_that_the_registry_does_not_know_is_named() {
    let unknown = |part: &mut Option<Vec<u8>>| part.as_mut().unwrap()[1..5].copy_from_slice(&[0, 0, 3, 232]);
    let kind = avro_kind(|message| unknown(&mut message.value)).await;
    assert_eq!(kind, DecodeErrorKind::UnknownSchemaId { part: "value", id: 1000 });
    let kind = avro_kind(|message| unknown(&mut message.key)).await;
    assert_eq!(kind, DecodeErrorKind::UnknownSchemaId { part: "key", id: 1000 });
}

#[tokio::test]
async fn avro_that_does_not_fit_its_schema_is_named() {
    let cut = avro_kind(|message| message.value.as_mut().unwrap().truncate(20)).await;
    assert_eq!(cut, DecodeErrorKind::Damaged);
    let longer = avro_kind(|message| message.value.as_mut().unwrap().push(0)).await;
    assert_eq!(longer, DecodeErrorKind::Damaged);
    let twice = avro_kind(|message| {
        let value = message.value.clone().unwrap();
        message.value.as_mut().unwrap().extend(value);
    });
    assert_eq!(twice.await, DecodeErrorKind::Damaged);
}

#[tokio::test]
async fn avro_schemas_that_say_too_little_are_named() {
    let value = [message(0, &b"\x00\x00\x00\x00\x01\x00"[..])];
    let batch = raw_batch(value);
    let kind = async |schema: Value| avro_decoder_of(&schema).await.decode(&batch).await.unwrap().failure.unwrap().kind;
    let record = json!({"type": "record", "name": "Envelope", "fields": []});
    assert_eq!(kind(record.clone()).await, DecodeErrorKind::NoConnectNames { id: 1 });
    let mut named = record;
    named["connect.name"] = "shop.users.Envelope".into();
    assert_eq!(kind(named).await, DecodeErrorKind::NotAnEnvelope);
    for unfinished in [json!("Missing"), json!({"type": "record", "name": "R"}), json!(7)] {
        let kind = kind(unfinished).await;
        assert!(matches!(kind, DecodeErrorKind::BadSchema { part: "value", .. }), "{kind}");
    }
    let recursive = json!({"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]});
    assert!(matches!(kind(recursive).await, DecodeErrorKind::BadSchema { .. }));
}

#[tokio::test]
async fn a_registry_that_is_away_decodes_nothing_and_loses_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let mut decoder = Decoder::avro(client(url));
    let error = decoder.decode(&raw_batch(avro_messages("public.part"))).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_topic_of_the_other_format_is_named() {
    let decoded = Decoder::json().decode(&raw_batch(avro_messages("public.part"))).await.unwrap();
    assert_eq!(decoded.failure.unwrap().kind, DecodeErrorKind::NotJson { part: "value" });
    let decoded = avro_decoder().await.decode(&raw_batch(json_messages("public.part"))).await.unwrap();
    assert_eq!(decoded.failure.unwrap().kind, DecodeErrorKind::NotConfluent { part: "value" });
}

#[tokio::test]
async fn damaged_messages_are_refused_or_read_and_nothing_worse() {
    let (mut json, mut avro) = (Decoder::json(), avro_decoder().await);
    for topic in ["public.users", "public.products"] {
        for (decoder, messages) in [(&mut json, json_messages(topic)), (&mut avro, avro_messages(topic))] {
            for seed in 0..25 {
                let damaged = messages.iter().map(|message| damaged(message, seed));
                let batch = raw_batch(damaged.collect::<Vec<_>>());
                for from in 0..batch.messages.len() {
                    let decoded = decoder.decode_from(&batch, from).await.unwrap();
                    let rows: usize = decoded.changes.iter().map(|batch| batch.events.len()).sum();
                    assert!(rows + from <= batch.messages.len());
                }
            }
        }
    }
}

/// The message with one byte of its value changed, the same one for the same `seed`.
fn damaged(message: &Message, seed: usize) -> Message {
    let mut value = message.value.clone();
    if let Some(value) = &mut value {
        let mixed = (seed * 1000 + message.offset as usize).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // Not the magic byte and the schema id: those have tests of their own.
        let at = 5 + (mixed >> 16) % (value.len() - 5);
        value[at] ^= 1 << (mixed % 8);
    }
    Message { key: message.key.clone(), value, ..*message }
}
