//! Unchanged TOAST values.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{ArrayRef, BinaryArray, Int64Array, ListArray, StringArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};

use super::registry::avro_decoder;
use super::{at, avro_messages, cell, json_messages, raw_batch, unchanged};
use crate::decode::Decoder;
use crate::decode::toast::{Placeholder, Sentinel};

const PLACEHOLDER: &str = "__debezium_unavailable_value";

#[tokio::test]
async fn placeholders_of_every_type_are_marked_and_the_row_holds_null() {
    let big = ["big_text", "big_bytes", "big_json", "big_arr", "big_ints", "big_hs", "big_vc"];
    let json = Decoder::json().decode(&raw_batch(json_messages("public.products"))).await.unwrap();
    let avro = avro_decoder().await.decode(&raw_batch(avro_messages("public.products"))).await.unwrap();
    for decoded in [json, avro] {
        // 12 set big_text to null; 15 is the create of a changed key.
        for (offset, expected) in [(10, &big[..]), (11, &big), (12, &big[1..]), (15, &big), (18, &big)] {
            let (batch, row) = at(&decoded, offset);
            assert_eq!(unchanged(batch, row), expected, "offset {offset}");
        }
        let (batch, row) = at(&decoded, 13);
        assert_eq!(unchanged(batch, row), [""; 0]);
        // numeric is sent in full.
        let (batch, row) = at(&decoded, 10);
        assert!(cell(batch, "big_num", row).len() > 4_000);
        assert_eq!(cell(batch, "n", row), "1");
    }
}

#[tokio::test]
async fn a_create_that_is_no_second_half_of_a_key_change_leaves_nothing_out() {
    let mut messages = json_messages("public.products");
    for message in &mut messages {
        message.moved_key = false;
    }
    let decoded = Decoder::json().decode(&raw_batch(messages)).await.unwrap();
    let (batch, row) = at(&decoded, 15);
    assert_eq!(unchanged(batch, row), [""; 0]);
    assert_eq!(cell(batch, "big_text", row), PLACEHOLDER, "somebody wrote it");
}

#[tokio::test]
async fn tables_without_placeholders_have_no_bits() {
    let decoded = Decoder::json().decode(&raw_batch(json_messages("public.users"))).await.unwrap();
    assert!(decoded.changes.iter().all(|batch| batch.unchanged.iter().all(Option::is_none)));
}

#[tokio::test]
async fn debeziums_placeholder_is_a_value_where_messages_name_another() {
    let own = "__tributary_unavailable_5cb3a7";
    let mut batch = raw_batch(json_messages("public.products"));
    batch.placeholder = Some(own.into());
    let decoded = Decoder::json().decode(&batch).await.unwrap();
    let (changes, row) = at(&decoded, 10);
    assert_eq!(unchanged(changes, row), [""; 0]);
    assert_eq!(cell(changes, "big_text", row), PLACEHOLDER, "somebody wrote it");
}

#[tokio::test]
async fn the_placeholder_that_messages_name_is_marked() {
    let own = "__tributary_unavailable_5cb3a7";
    let mut messages = json_messages("public.products");
    for value in messages.iter_mut().filter_map(|message| message.value.as_mut()) {
        *value = String::from_utf8(std::mem::take(value)).unwrap().replace(PLACEHOLDER, own).into_bytes();
    }
    let mut batch = raw_batch(messages);
    batch.placeholder = Some(own.into());
    let decoded = Decoder::json().decode(&batch).await.unwrap();
    let (changes, row) = at(&decoded, 10);
    // The others are made of its bytes.
    assert_eq!(unchanged(changes, row), ["big_text", "big_json", "big_arr", "big_hs", "big_vc"]);
}

#[test]
fn the_form_for_uuids_is_that_of_java() {
    let raw: ArrayRef = Arc::new(StringArray::from(vec!["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]));
    assert_eq!(rows(&Sentinel::Text, &raw), [0]);
    assert_eq!(Sentinel::Text.rows(&raw, &Placeholder::new("another")), [0; 0]);
}

/// The rows that hold Debezium's own placeholder.
fn rows(sentinel: &Sentinel, raw: &ArrayRef) -> Vec<usize> {
    sentinel.rows(raw, &Placeholder::default())
}

/// A list array of one row per entry.
fn list(values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::try_new(field, offsets, values, None).unwrap())
}

#[test]
fn text_must_be_equal_and_not_only_as_long() {
    let other = "x".repeat(PLACEHOLDER.len());
    let hstore = format!(r#"{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}"#);
    let raw: ArrayRef =
        Arc::new(StringArray::from(vec![Some(&*other), Some(PLACEHOLDER), None, Some(""), Some(&*hstore)]));
    assert_eq!(rows(&Sentinel::Text, &raw), [1, 4]);
}

#[test]
fn bytes_are_bytes_in_avro_and_base64_in_json() {
    let raw: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"", PLACEHOLDER.as_bytes()]));
    assert_eq!(rows(&Sentinel::Bytes, &raw), [1]);
    let raw: ArrayRef = Arc::new(StringArray::from(vec!["X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==", PLACEHOLDER]));
    assert_eq!(rows(&Sentinel::Bytes, &raw), [0]);
}

#[test]
fn a_list_of_one_placeholder_is_one() {
    let uuid = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
    let texts: ArrayRef = Arc::new(StringArray::from(vec![PLACEHOLDER, "a", PLACEHOLDER, uuid]));
    let sentinel = Sentinel::ListOf(Box::new(Sentinel::Text));
    assert_eq!(rows(&sentinel, &list(texts, &[1, 2, 0, 1])), [0, 3]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"a", PLACEHOLDER.as_bytes()]));
    assert_eq!(rows(&Sentinel::ListOf(Box::new(Sentinel::Bytes)), &list(bytes, &[1, 1])), [1]);
}

#[test]
fn a_list_of_its_bytes_as_numbers_is_one() {
    let bytes: Vec<i64> = PLACEHOLDER.bytes().map(i64::from).collect();
    let mut values = bytes.clone();
    values.extend(bytes.iter().rev());
    values.push(95);
    let values: ArrayRef = Arc::new(Int64Array::from(values));
    assert_eq!(rows(&Sentinel::Integers, &list(values, &[28, 28, 1])), [0]);

    let mut with_null = ListBuilder::new(Int32Builder::new());
    with_null.append_value(PLACEHOLDER.bytes().map(|byte| (byte != b'z').then_some(i32::from(byte))));
    let raw: ArrayRef = Arc::new(with_null.finish());
    assert_eq!(raw.data_type(), &DataType::new_list(DataType::Int32, true));
    assert_eq!(rows(&Sentinel::Integers, &raw), [0; 0]);
}

#[test]
fn a_map_from_placeholder_to_placeholder_is_one() {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for keys in [&["a"][..], &[PLACEHOLDER], &[PLACEHOLDER, "b"], &[]] {
        for key in keys {
            maps.keys().append_value(key);
            maps.values().append_value(PLACEHOLDER);
        }
        maps.append(true).unwrap();
    }
    let raw: ArrayRef = Arc::new(maps.finish());
    assert_eq!(rows(&Sentinel::Map, &raw), [1]);
}
