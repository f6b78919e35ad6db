//! Debezium's placeholder for an unchanged TOAST value, which has the type of its column (facts of D6: text for
//! text, bytes for bytea, one element for arrays of text, its bytes as numbers for arrays of integers).

use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, ByteArrayType, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, GenericByteArray, ListArray};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::connect_schema::{ConnectSchema, Kind};

/// Debezium's default `unavailable.value.placeholder`.
const PLACEHOLDER: &str = "__debezium_unavailable_value";
/// An hstore as JSON text: the placeholder is its only key and value.
const JSON_PLACEHOLDER: &str = r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#;
/// `UUID.nameUUIDFromBytes` of the placeholder.
const UUID_PLACEHOLDER: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
/// What JSON messages hold for bytes.
static BASE64_PLACEHOLDER: LazyLock<String> = LazyLock::new(|| STANDARD.encode(PLACEHOLDER));

/// The forms that the placeholder can have in one column.
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
    pub(super) fn rows(&self, raw: &ArrayRef) -> Vec<usize> {
        match self {
            Self::Text => text_rows(raw),
            Self::Bytes => bytes_rows(raw),
            Self::ListOf(of) => list_rows(raw, of),
            Self::Integers => integer_rows(raw),
            Self::Map => map_rows(raw),
        }
    }
}

fn text_rows(raw: &ArrayRef) -> Vec<usize> {
    let Some(raw) = raw.as_string_opt::<i32>() else { return Vec::new() };
    let texts = [PLACEHOLDER, JSON_PLACEHOLDER, UUID_PLACEHOLDER].map(str::as_bytes);
    byte_rows(raw, |value| texts.contains(&value), |length| texts.iter().any(|text| text.len() == length))
}

fn bytes_rows(raw: &ArrayRef) -> Vec<usize> {
    let equals =
        |placeholder: &'static [u8]| (move |value: &[u8]| value == placeholder, move |n| n == placeholder.len());
    if let Some(raw) = raw.as_binary_opt::<i32>() {
        let (equal, length) = equals(PLACEHOLDER.as_bytes());
        byte_rows(raw, equal, length)
    } else if let Some(raw) = raw.as_string_opt::<i32>() {
        let (equal, length) = equals(BASE64_PLACEHOLDER.as_bytes());
        byte_rows(raw, equal, length)
    } else {
        Vec::new()
    }
}

/// Compares lengths first: nearly every value is dismissed without a look at its bytes.
fn byte_rows<T: ByteArrayType<Offset = i32>>(
    raw: &GenericByteArray<T>,
    equal: impl Fn(&[u8]) -> bool,
    length: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let data = raw.value_data();
    let spans = raw.value_offsets().windows(2).map(|span| span[0] as usize..span[1] as usize).enumerate();
    let found = spans.filter(|(row, span)| length(span.len()) && equal(&data[span.clone()]) && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

/// Rows whose list has one element, and that is the placeholder.
fn list_rows(raw: &ArrayRef, of: &Sentinel) -> Vec<usize> {
    let Some(raw) = raw.as_list_opt::<i32>() else { return Vec::new() };
    if !raw.value_offsets().windows(2).any(|span| span[1] - span[0] == 1) {
        return Vec::new();
    }
    let elements = of.rows(raw.values());
    let found = spans(raw, 1).filter(|(row, start)| elements.binary_search(start).is_ok() && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

/// Rows whose list has `length` elements, with the index of the first of them.
fn spans(raw: &ListArray, length: i32) -> impl Iterator<Item = (usize, usize)> {
    let spans = raw.value_offsets().windows(2).enumerate();
    spans.filter(move |(_, span)| span[1] - span[0] == length).map(|(row, span)| (row, span[0] as usize))
}

fn integer_rows(raw: &ArrayRef) -> Vec<usize> {
    let Some(raw) = raw.as_list_opt::<i32>() else { return Vec::new() };
    match raw.value_type() {
        DataType::Int16 => rows_of_integers::<Int16Type>(raw),
        DataType::Int32 => rows_of_integers::<Int32Type>(raw),
        DataType::Int64 => rows_of_integers::<Int64Type>(raw),
        _ => Vec::new(),
    }
}

fn rows_of_integers<T: ArrowPrimitiveType>(raw: &ListArray) -> Vec<usize>
where
    T::Native: From<u8>,
{
    let values = raw.values().as_primitive::<T>();
    let equal = |start: usize| {
        let elements = (start..).zip(PLACEHOLDER.bytes());
        elements.into_iter().all(|(at, byte)| values.is_valid(at) && values.value(at) == T::Native::from(byte))
    };
    let found = spans(raw, PLACEHOLDER.len() as i32).filter(|(row, start)| equal(*start) && raw.is_valid(*row));
    found.map(|(row, _)| row).collect()
}

fn map_rows(raw: &ArrayRef) -> Vec<usize> {
    let Some(raw) = raw.as_map_opt() else { return Vec::new() };
    let Some(keys) = raw.keys().as_string_opt::<i32>() else { return Vec::new() };
    let spans = raw.value_offsets().windows(2).enumerate();
    let found = spans.filter(|(row, span)| {
        span[1] - span[0] == 1 && raw.is_valid(*row) && keys.value(span[0] as usize) == PLACEHOLDER
    });
    found.map(|(row, _)| row).collect()
}
