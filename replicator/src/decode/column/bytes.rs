//! bytea and bit strings.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_schema::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ValueError;
use crate::decode::connect_schema::ConnectSchema;

/// The bytes of a column: base64 text in JSON, bytes in Avro.
pub(super) fn binary(raw: &ArrayRef) -> Result<BinaryArray, ValueError> {
    match raw.data_type() {
        DataType::Binary => Ok(raw.as_binary::<i32>().clone()),
        DataType::Utf8 => from_base64(raw.as_string::<i32>()),
        DataType::FixedSizeBinary(_) => Ok(raw.as_fixed_size_binary().iter().collect()),
        _ => Err(ValueError::Malformed),
    }
}

fn from_base64(text: &StringArray) -> Result<BinaryArray, ValueError> {
    let mut values = BinaryBuilder::with_capacity(text.len(), text.value_data().len() / 4 * 3);
    let mut bytes = Vec::new();
    for value in text {
        let Some(value) = value else {
            values.append_null();
            continue;
        };
        bytes.clear();
        STANDARD.decode_vec(value, &mut bytes).map_err(|_| ValueError::Malformed)?;
        values.append_value(&bytes);
    }
    Ok(values.finish())
}

/// The declared length of a bit string; 0 where none is (`bit varying` without a length has the largest integer).
pub(super) fn bits_length(schema: &ConnectSchema) -> usize {
    let length = schema.parameters.get("length").and_then(|length| length.parse::<i32>().ok());
    length.filter(|length| *length != i32::MAX).and_then(|length| length.try_into().ok()).unwrap_or(0)
}

/// Bit strings as Postgres prints them, most significant bit first, filled with zeros to `length`.
pub(super) fn bits_to_text(values: &BinaryArray, length: usize) -> Result<ArrayRef, ValueError> {
    let mut texts = StringBuilder::new();
    for value in values {
        let Some(value) = value else {
            texts.append_null();
            continue;
        };
        let text = bits(value);
        if length > 0 && text.len() > length {
            return Err(ValueError::OutOfRange);
        }
        (text.len()..length).try_for_each(|_| texts.write_char('0')).map_err(|_| ValueError::Malformed)?;
        texts.append_value(&*text);
    }
    Ok(Arc::new(texts.finish()))
}

/// The significant bits of little-endian bytes.
fn bits(bytes: &[u8]) -> Cow<'static, str> {
    let mut text = String::with_capacity(bytes.len() * 8);
    for byte in bytes.iter().rev() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:08b}");
    }
    match text.find('1') {
        Some(first) => Cow::Owned(text.split_off(first)),
        None => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], length: usize) -> Result<String, ValueError> {
        let values = BinaryArray::from(vec![bytes]);
        bits_to_text(&values, length).map(|texts| texts.as_string::<i32>().value(0).to_owned())
    }

    #[test]
    fn bits_are_written_from_the_most_significant_and_filled_with_zeros() {
        assert_eq!(text(&[0b1010], 4).unwrap(), "1010");
        assert_eq!(text(&[0b0000_0001, 0b1], 12).unwrap(), "000100000001");
        assert_eq!(text(&[0], 3).unwrap(), "000");
        assert_eq!(text(&[], 2).unwrap(), "00");
        assert_eq!(text(&[0b101, 0], 0).unwrap(), "101");
    }

    #[test]
    fn more_bits_than_the_column_has_are_refused() {
        assert_eq!(text(&[0b1_0000], 4), Err(ValueError::OutOfRange));
    }

    #[test]
    fn bytes_that_are_not_base64_are_refused() {
        let raw: ArrayRef = Arc::new(StringArray::from(vec!["?"]));
        assert_eq!(binary(&raw), Err(ValueError::Malformed));
    }
}
