//! numeric and money.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::{Decimal128Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::DataType;

use super::{Conversion, ValueError, as_struct, bytes, child};
use crate::decode::connect_schema::ConnectSchema;

/// Digits that Delta's decimal can hold.
const MAX_PRECISION: i32 = 38;
/// Digits of money, and of any other decimal without a precision: those of a 64-bit integer.
const INTEGER_PRECISION: i32 = 20;
/// Postgres's limits on the digits of `numeric`, before and after the point.
const SCALES: std::ops::RangeInclusive<i32> = -131_072..=16_383;

/// A decimal type of Delta and what must be done to get there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DecimalScale {
    precision: u8,
    scale: i8,
    /// Ten to the power of a negative scale at the source (`numeric(2,-3)` counts thousands), else 1.
    factor: i128,
}

impl DecimalScale {
    pub(super) fn data_type(self) -> DataType {
        DataType::Decimal128(self.precision, self.scale)
    }

    fn convert(self, bytes: &[u8]) -> Result<i128, ValueError> {
        let value = unscaled(bytes).and_then(|value| value.checked_mul(self.factor)).ok_or(ValueError::OutOfRange)?;
        let limit = 10_u128.pow(u32::from(self.precision));
        if value.unsigned_abs() < limit { Ok(value) } else { Err(ValueError::OutOfRange) }
    }
}

/// The conversion for a Connect `Decimal`: a decimal of Delta if it fits, else exact text.
pub(super) fn conversion(schema: &ConnectSchema) -> Option<Conversion> {
    let parameter = |name: &str| schema.parameters.get(name).map(|value| value.parse::<i32>());
    let scale = parameter("scale").transpose().ok()??;
    let precision = match parameter("connect.decimal.precision").transpose().ok()? {
        Some(precision) => precision,
        None if scale == 0 => INTEGER_PRECISION,
        None => INTEGER_PRECISION - 1,
    };
    // Delta knows neither scales below zero nor scales above the precision, Postgres both.
    let precision = precision.max(scale).max(1).checked_sub(scale.min(0))?;
    if precision > MAX_PRECISION {
        return Some(Conversion::DecimalText(scale));
    }
    let factor = 10_i128.pow(scale.min(0).unsigned_abs());
    Some(Conversion::Decimal(DecimalScale { precision: precision as u8, scale: scale.max(0) as i8, factor }))
}

pub(super) fn to_decimals(values: &BinaryArray, scale: DecimalScale) -> Result<ArrayRef, ValueError> {
    let mut decimals = Decimal128Builder::with_capacity(values.len()).with_data_type(scale.data_type());
    for value in values {
        decimals.append_option(value.map(|bytes| scale.convert(bytes)).transpose()?);
    }
    Ok(Arc::new(decimals.finish()))
}

/// Exact text; `scale` gives the scale of a row.
pub(super) fn to_text(values: &BinaryArray, scale: impl Fn(usize) -> i32) -> Result<ArrayRef, ValueError> {
    let mut texts = StringBuilder::new();
    for (row, value) in values.iter().enumerate() {
        texts.append_option(value.map(|bytes| plain_text(bytes, scale(row))).transpose()?);
    }
    Ok(Arc::new(texts.finish()))
}

/// `VariableScaleDecimal`: a struct of scale and unscaled value.
pub(super) fn variable_to_text(raw: &ArrayRef) -> Result<ArrayRef, ValueError> {
    let raw = as_struct(raw)?;
    let (scales, values) = child(raw, "scale").zip(child(raw, "value")).ok_or(ValueError::Malformed)?;
    let scales = scales.as_primitive_opt::<Int32Type>().ok_or(ValueError::Malformed)?;
    to_text(&bytes::binary(&values)?, |row| scales.value(row))
}

/// The integer of big-endian two's complement bytes, as Java's `BigInteger` writes it; `None` beyond 128 bits.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let fill = if negative { 0xFF } else { 0 };
    let significant = bytes.iter().position(|byte| *byte != fill).unwrap_or(bytes.len());
    let significant = &bytes[significant..];
    let mut extended = [fill; 16];
    extended.get_mut(16_usize.checked_sub(significant.len())?..)?.copy_from_slice(significant);
    let value = i128::from_be_bytes(extended);
    ((value < 0) == negative).then_some(value)
}

/// The decimal number without an exponent, as Postgres prints it.
fn plain_text(bytes: &[u8], scale: i32) -> Result<String, ValueError> {
    if !SCALES.contains(&scale) {
        return Err(ValueError::OutOfRange);
    }
    let (negative, mut digits) = match unscaled(bytes) {
        Some(value) => (value < 0, value.unsigned_abs().to_string()),
        None => (bytes[0] & 0x80 != 0, big_digits(bytes)),
    };
    let places = scale.unsigned_abs() as usize;
    if scale > 0 {
        digits = format!("{digits:0>width$}", width = places + 1);
        digits.insert(digits.len() - places, '.');
    } else if digits != "0" {
        digits.extend(std::iter::repeat_n('0', places));
    }
    if negative {
        digits.insert(0, '-');
    }
    Ok(digits)
}

/// Decimal digits of the magnitude of two's complement bytes of any length.
fn big_digits(bytes: &[u8]) -> String {
    const LIMB: u128 = 1_000_000_000_000_000_000;
    let negative = bytes[0] & 0x80 != 0;
    // The magnitude of a negative number is its complement plus one; the one enters as the first carry below.
    let mut limbs: Vec<u64> = vec![0];
    let last = bytes.len() - 1;
    for (index, byte) in bytes.iter().enumerate() {
        let byte = if negative { !byte } else { *byte };
        let mut carry = u128::from(byte) + u128::from(negative && index == last);
        for limb in &mut limbs {
            let value = (u128::from(*limb) << 8) + carry;
            *limb = (value % LIMB) as u64;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry as u64);
        }
    }
    let mut digits = limbs.last().map(u64::to_string).unwrap_or_default();
    for limb in limbs.iter().rev().skip(1) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{limb:018}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::decode::connect_schema::Kind;

    fn of(precision: Option<&str>, scale: &str) -> Conversion {
        let mut parameters = HashMap::from([("scale".to_owned(), scale.to_owned())]);
        if let Some(precision) = precision {
            parameters.insert("connect.decimal.precision".to_owned(), precision.to_owned());
        }
        let schema = ConnectSchema { kind: Kind::Bytes, semantic: None, optional: true, parameters, default: None };
        conversion(&schema).unwrap()
    }

    #[test]
    fn precision_and_scale_are_those_of_the_source_where_delta_has_them() {
        assert_eq!(of(Some("12"), "2").data_type(), DataType::Decimal128(12, 2));
        assert_eq!(of(Some("38"), "38").data_type(), DataType::Decimal128(38, 38));
        assert_eq!(of(Some("39"), "2").data_type(), DataType::Utf8);
    }

    #[test]
    fn money_has_the_digits_of_a_64_bit_integer() {
        assert_eq!(of(None, "2").data_type(), DataType::Decimal128(19, 2));
        assert_eq!(of(None, "0").data_type(), DataType::Decimal128(20, 0));
    }

    #[test]
    fn scales_that_only_postgres_has_are_widened() {
        let thousands = of(Some("2"), "-3");
        assert_eq!(thousands.data_type(), DataType::Decimal128(5, 0));
        let raw: ArrayRef = Arc::new(BinaryArray::from(vec![&[12_u8][..]]));
        let converted = thousands.convert(&raw).unwrap();
        assert_eq!(converted.as_primitive::<arrow_array::types::Decimal128Type>().value(0), 12_000);
        assert_eq!(of(Some("3"), "5").data_type(), DataType::Decimal128(5, 5));
    }

    #[test]
    fn a_decimal_with_more_digits_than_its_type_is_refused() {
        let Conversion::Decimal(scale) = of(Some("2"), "0") else { panic!("not a decimal") };
        assert_eq!(scale.convert(&[99]), Ok(99));
        assert_eq!(scale.convert(&[0x9D]), Ok(-99));
        assert_eq!(scale.convert(&[100]), Err(ValueError::OutOfRange));
        assert_eq!(scale.convert(&[0x7F; 17]), Err(ValueError::OutOfRange));
    }

    #[test]
    fn unscaled_values_may_be_extended_with_sign_bytes() {
        assert_eq!(unscaled(&[]), Some(0));
        assert_eq!(unscaled(&[0; 20]), Some(0));
        assert_eq!(unscaled(&[0xFF; 20]), Some(-1));
        assert_eq!(unscaled(&i128::MIN.to_be_bytes()), Some(i128::MIN));
        assert_eq!(unscaled(&u128::MAX.to_be_bytes()), Some(-1));
        let mut positive = vec![0];
        positive.extend(u128::MAX.to_be_bytes());
        assert_eq!(unscaled(&positive), None);
    }

    #[test]
    fn text_is_exact_and_has_no_exponent() {
        assert_eq!(plain_text(&[0x30, 0x39], 2).unwrap(), "123.45");
        assert_eq!(plain_text(&[0xFF], 3).unwrap(), "-0.001");
        assert_eq!(plain_text(&[12], -3).unwrap(), "12000");
        assert_eq!(plain_text(&[0], -3).unwrap(), "0");
        assert_eq!(plain_text(&[0], 2).unwrap(), "0.00");
        assert_eq!(plain_text(&[1], 16_384), Err(ValueError::OutOfRange));
    }

    #[test]
    fn numbers_beyond_128_bits_keep_every_digit() {
        // 2^136 and its negative.
        let mut bytes = vec![1];
        bytes.extend([0; 17]);
        assert_eq!(plain_text(&bytes, 0).unwrap(), "87112285931760246646623899502532662132736");
        let mut bytes = vec![0xFF];
        bytes.extend([0; 17]);
        assert_eq!(plain_text(&bytes, 1).unwrap(), "-8711228593176024664662389950253266213273.6");
    }
}
