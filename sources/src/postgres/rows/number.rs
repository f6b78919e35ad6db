//! `numeric` in its binary form: groups of four digits.

use bytes::Buf;

use super::ValueError;

const NEGATIVE: u16 = 0x4000;
const POSITIVE: u16 = 0;

/// The number times ten to the power of `scale`, of at most `precision` digits. NaN and the infinities are out of range.
pub(super) fn decimal(mut bytes: &[u8], precision: u8, scale: i8) -> Result<i128, ValueError> {
    if bytes.len() < 8 {
        return Err(ValueError::Malformed);
    }
    let (groups, weight, sign, _) = (bytes.get_u16(), bytes.get_i16(), bytes.get_u16(), bytes.get_u16());
    if bytes.len() != usize::from(groups) * 2 {
        return Err(ValueError::Malformed);
    }
    let mut value = 0_i128;
    for group in 0..i32::from(groups) {
        let digits = i128::from(bytes.get_u16());
        let exponent = 4 * (i32::from(weight) - group) + i32::from(scale);
        let part = match u32::try_from(exponent) {
            Ok(exponent) => 10_i128.checked_pow(exponent).and_then(|power| power.checked_mul(digits)),
            // The last group has zeros behind the last digit of the column.
            Err(_) => 10_i128
                .checked_pow(exponent.unsigned_abs())
                .filter(|power| digits % power == 0)
                .map(|power| digits / power),
        };
        value = part.and_then(|part| value.checked_add(part)).ok_or(ValueError::OutOfRange)?;
    }
    let limit = 10_i128.checked_pow(precision.into()).ok_or(ValueError::OutOfRange)?;
    match sign {
        _ if value >= limit => Err(ValueError::OutOfRange),
        POSITIVE => Ok(value),
        NEGATIVE => Ok(-value),
        _ => Err(ValueError::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(weight: i16, sign: u16, groups: &[u16]) -> Vec<u8> {
        let mut bytes = (groups.len() as u16).to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(0_u16.to_be_bytes());
        bytes.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
        bytes
    }

    #[test]
    fn a_number_is_counted_in_units_of_its_scale() {
        assert_eq!(decimal(&numeric(0, POSITIVE, &[12, 3400]), 12, 2), Ok(1234));
        assert_eq!(decimal(&numeric(-1, NEGATIVE, &[100]), 12, 2), Ok(-1));
        assert_eq!(decimal(&numeric(0, POSITIVE, &[]), 12, 2), Ok(0));
        assert_eq!(decimal(&numeric(2, POSITIVE, &[1]), 12, 2), Ok(10_000_000_000));
        let nines: Vec<u16> = std::iter::repeat_n(9999, 9).chain([9900]).collect();
        assert_eq!(decimal(&numeric(-1, POSITIVE, &nines), 38, 38), Ok(10_i128.pow(38) - 1));
    }

    #[test]
    fn what_its_type_cannot_hold_is_refused() {
        assert_eq!(decimal(&numeric(0, POSITIVE, &[100]), 2, 0), Err(ValueError::OutOfRange));
        assert_eq!(decimal(&numeric(0, 0xC000, &[]), 12, 2), Err(ValueError::OutOfRange), "NaN");
        assert_eq!(decimal(&numeric(0, POSITIVE, &[1, 1]), 12, 2), Err(ValueError::OutOfRange), "a finer number");
        assert_eq!(decimal(&numeric(20, POSITIVE, &[1]), 38, 0), Err(ValueError::OutOfRange));
        assert_eq!(decimal(&[0, 1], 2, 0), Err(ValueError::Malformed));
    }
}
