//! The placeholder for an unchanged TOAST value, which has the type of its column (facts of D6: text for text, bytes for bytea,
//! one element for arrays of text, its bytes as numbers for arrays of integers).

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, ByteArrayType, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, GenericByteArray, ListArray};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::connect_schema::{ConnectSchema, Kind};

/// Debezium's default `unavailable.value.placeholder`.
const DEBEZIUM: &str = "__debezium_unavailable_value";

/// What a connector writes for values that did not change, in all of its forms.
#[derive(Debug)]
pub(super) struct Placeholder {
    text: String,
    /// An hstore as JSON text: the placeholder is its only key and value.
    json: String,
    /// Java's `UUID.nameUUIDFromBytes` of it.
    uuid: String,
    /// What JSON messages hold for bytes.
    base64: String,
}

impl Placeholder {
    pub(super) fn new(text: &str) -> Self {
        let uuid = uuid::Builder::from_md5_bytes(Md5::digest(text).into()).into_uuid().to_string();
        let text = text.to_owned();
        Self { json: format!(r#"{{"{text}":"{text}"}}"#), uuid, base64: STANDARD.encode(&text), text }
    }

    /// Becomes the one that messages name; Debezium's own, if they name none.
    pub(super) fn become_that_of(&mut self, named: Option<&str>) {
        let text = named.unwrap_or(DEBEZIUM);
        if self.text != text {
            *self = Self::new(text);
        }
    }
}

impl Default for Placeholder {
    fn default() -> Self {
        Self::new(DEBEZIUM)
    }
}

/// The form that the placeholder has in one column.
#[derive(Debug, PartialEq)]
pub(super) enum Sentinel {
    /// Text.
    Text,
    /// bytea, base64 in JSON.
    Bytes,
    /// An array with one element of text, uuid or bytea.
    ListOf(Box<Sentinel>),
    /// An array of integers or dates.
    Integers,
    /// A map of one entry.
    Map,
}

impl Sentinel {
    /// `None`: values of this type are never stored out of line, or Debezium has no placeholder for them.
    pub(super) fn of(schema: &ConnectSchema) -> Option<Self> {
        match (&schema.kind, schema.semantic.as_deref()) {
            (Kind::Bytes, None) => Some(Self::Bytes),
            (Kind::String, _) => Some(Self::Text),
            (Kind::Array(items), _) => match items.kind {
                Kind::Int16 | Kind::Int32 | Kind::Int64 => Some(Self::Integers),
                Kind::String | Kind::Bytes => Self::of(items).map(|of| Self::ListOf(Box::new(of))),
                _ => None,
            },
            (Kind::Map(values), _) if values.kind == Kind::String => Some(Self::Map),
            _ => None,
        }
    }

    /// The rows of `raw` that hold the placeholder.
    pub(super) fn rows(&self, raw: &ArrayRef, placeholder: &Placeholder) -> Vec<usize> {
        let Placeholder { text, json, uuid, base64 } = placeholder;
        match self {
            Self::Text => text_rows(raw, &[text, json, uuid]),
            Self::Bytes if raw.as_binary_opt::<i32>().is_some() => bytes_rows(raw, text),
            Self::Bytes => text_rows(raw, &[base64]),
            Self::ListOf(of) => list_rows(raw, of, placeholder),
            Self::Integers => integer_rows(raw, text),
            Self::Map => map_rows(raw, text),
        }
    }
}

fn text_rows(raw: &ArrayRef, texts: &[&str]) -> Vec<usize> {
    raw.as_string_opt::<i32>().map(|raw| rows_of(raw, texts)).unwrap_or_default()
}

fn bytes_rows(raw: &ArrayRef, text: &str) -> Vec<usize> {
    raw.as_binary_opt::<i32>().map(|raw| rows_of(raw, &[text])).unwrap_or_default()
}

/// Compares lengths first: nearly every value is dismissed without a look at its bytes.
fn rows_of<T: ByteArrayType<Offset = i32>>(raw: &GenericByteArray<T>, texts: &[&str]) -> Vec<usize> {
    let data = raw.value_data();
    let is_one = |value: &[u8]| texts.iter().any(|text| text.len() == value.len() && text.as_bytes() == value);
    let spans = raw.value_offsets().windows(2).map(|span| span[0] as usize..span[1] as usize).enumerate();
    let found = spans.filter(|(row, span)| is_one(&data[span.clone()]) && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

/// Rows whose list has one element, and that is the placeholder.
fn list_rows(raw: &ArrayRef, of: &Sentinel, placeholder: &Placeholder) -> Vec<usize> {
    let Some(raw) = raw.as_list_opt::<i32>() else { return Vec::new() };
    if !raw.value_offsets().windows(2).any(|span| span[1] - span[0] == 1) {
        return Vec::new();
    }
    let elements = of.rows(raw.values(), placeholder);
    let found = spans(raw, 1).filter(|(row, start)| elements.binary_search(start).is_ok() && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

/// Rows whose list has `length` elements, with the index of the first of them.
fn spans(raw: &ListArray, length: usize) -> impl Iterator<Item = (usize, usize)> {
    let spans = raw.value_offsets().windows(2).enumerate();
    spans.filter(move |(_, span)| (span[1] - span[0]) as usize == length).map(|(row, span)| (row, span[0] as usize))
}

fn integer_rows(raw: &ArrayRef, text: &str) -> Vec<usize> {
    let Some(raw) = raw.as_list_opt::<i32>() else { return Vec::new() };
    match raw.value_type() {
        DataType::Int16 => rows_of_integers::<Int16Type>(raw, text),
        DataType::Int32 => rows_of_integers::<Int32Type>(raw, text),
        DataType::Int64 => rows_of_integers::<Int64Type>(raw, text),
        _ => Vec::new(),
    }
}

fn rows_of_integers<T: ArrowPrimitiveType>(raw: &ListArray, text: &str) -> Vec<usize>
where
    T::Native: From<u8>,
{
    let values = raw.values().as_primitive::<T>();
    let equal = |start: usize| {
        let mut elements = (start..).zip(text.bytes());
        elements.all(|(at, byte)| values.is_valid(at) && values.value(at) == T::Native::from(byte))
    };
    let found = spans(raw, text.len()).filter(|(row, start)| equal(*start) && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

fn map_rows(raw: &ArrayRef, text: &str) -> Vec<usize> {
    let Some(raw) = raw.as_map_opt() else { return Vec::new() };
    let Some(keys) = raw.keys().as_string_opt::<i32>() else { return Vec::new() };
    let spans = raw.value_offsets().windows(2).enumerate();
    let found = spans
        .filter(|(row, span)| span[1] - span[0] == 1 && raw.is_valid(*row) && keys.value(span[0] as usize) == text);
    found.map(|(row, _)| row).collect()
}
