//! Times of day. Delta has no such type: they become text of one width, which compares and sorts like the time.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::ValueError;

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// `HH:MM:SS.ffffff` of a count of `unit` since midnight; midnight at the end of the day is `24:00:00.000000`.
pub(super) fn to_text(raw: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, ValueError> {
    let mut texts = StringBuilder::with_capacity(raw.len(), raw.len() * 15);
    let mut append = |count: Option<i64>| -> Result<(), ValueError> {
        let text = count.map(|count| text(microseconds(count, unit)?)).transpose()?;
        texts.append_option(text.as_ref().and_then(|text| str::from_utf8(text).ok()));
        Ok(())
    };
    match raw.data_type() {
        DataType::Int32 => {
            raw.as_primitive::<Int32Type>().iter().try_for_each(|count| append(count.map(i64::from)))?;
        }
        DataType::Int64 => raw.as_primitive::<Int64Type>().iter().try_for_each(&mut append)?,
        _ => return Err(ValueError::Malformed),
    }
    Ok(Arc::new(texts.finish()))
}

fn microseconds(count: i64, unit: TimeUnit) -> Result<i64, ValueError> {
    match unit {
        TimeUnit::Millisecond => count.checked_mul(1_000).ok_or(ValueError::OutOfRange),
        TimeUnit::Microsecond => Ok(count),
        TimeUnit::Nanosecond => Ok(count.div_euclid(1_000)),
        TimeUnit::Second => Err(ValueError::Malformed),
    }
}

fn text(microseconds: i64) -> Result<[u8; 15], ValueError> {
    if !(0..=MICROSECONDS_OF_DAY).contains(&microseconds) {
        return Err(ValueError::OutOfRange);
    }
    let mut text = *b"00:00:00.000000";
    let seconds = microseconds / 1_000_000;
    for (end, mut number) in
        [(15, microseconds % 1_000_000), (8, seconds % 60), (5, seconds / 60 % 60), (2, seconds / 3600)]
    {
        let mut place = end;
        while number > 0 {
            place -= 1;
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array};

    use super::*;

    #[test]
    fn times_of_any_unit_have_one_width() {
        let raw: ArrayRef = Arc::new(Int64Array::from(vec![Some(27_015_123_456), None, Some(0), Some(86_400_000_000)]));
        let texts = to_text(&raw, TimeUnit::Microsecond).unwrap();
        let texts: Vec<_> = texts.as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("07:30:15.123456"), None, Some("00:00:00.000000"), Some("24:00:00.000000")]);

        let raw: ArrayRef = Arc::new(Int32Array::from(vec![86_399_999]));
        let texts = to_text(&raw, TimeUnit::Millisecond).unwrap();
        assert_eq!(texts.as_string::<i32>().value(0), "23:59:59.999000");
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        assert_eq!(text(-1), Err(ValueError::OutOfRange));
        assert_eq!(text(MICROSECONDS_OF_DAY + 1), Err(ValueError::OutOfRange));
    }
}
