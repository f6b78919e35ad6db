//! Dates and timestamps.
//!
//! Postgres's infinities become the last and the first moment of the years 1 to 9999, which every reader of Delta
//! can show; finite values beyond those years stay exact.

use std::sync::Arc;

use arrow_array::builder::TimestampMicrosecondBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::TimeUnit;

use super::ValueError;

/// 9999-12-31 and 0001-01-01 in days since 1970.
const LAST_DAY: i32 = 2_932_896;
const FIRST_DAY: i32 = -719_162;
/// 9999-12-31T23:59:59.999999 and 0001-01-01T00:00:00 in microseconds since 1970.
const LAST_MICROSECOND: i64 = 253_402_300_799_999_999;
const FIRST_MICROSECOND: i64 = -62_135_596_800_000_000;

/// Debezium's `infinity` for a date: 5877611-06-21 since 3.7, the year -5877611 before.
const INFINITE_DAYS: [i32; 2] = [2_146_033_979, -2_147_472_692];
/// Debezium's `-infinity` for a date: -5877611-06-22.
const MINUS_INFINITE_DAY: i32 = -2_147_472_691;
/// What a snapshot sends for them: pgjdbc's infinities in days, cut to 32 bits. A day more or less depends on the time
/// zone of the connector.
const SNAPSHOT_INFINITE_DAYS: std::ops::RangeInclusive<i32> = -622_191_235..=-622_191_233;
const SNAPSHOT_MINUS_INFINITE_DAYS: std::ops::RangeInclusive<i32> = -625_821_273..=-625_821_271;
/// The dates that Postgres has: 4713 BC to 5874897.
const DAYS: std::ops::RangeInclusive<i32> = -2_440_588..=2_145_042_905;

/// pgjdbc's infinities in microseconds; Debezium also sends the largest and smallest integers. No timestamp of
/// Postgres that fits 64 bits lies beyond them, save half a minute of the year 294247.
const INFINITE_MICROSECONDS: i64 = 9_223_372_036_825_200_000;
const MINUS_INFINITE_MICROSECONDS: i64 = -9_223_372_036_832_400_000;

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// Days since the epoch.
pub(super) fn to_dates(raw: &ArrayRef) -> Result<ArrayRef, ValueError> {
    let days = raw.as_primitive_opt::<Int32Type>().ok_or(ValueError::Malformed)?;
    let dates = days.try_unary::<_, Date32Type, _>(|day| match day {
        day if DAYS.contains(&day) => Ok(day),
        day if INFINITE_DAYS.contains(&day) || SNAPSHOT_INFINITE_DAYS.contains(&day) => Ok(LAST_DAY),
        day if day == MINUS_INFINITE_DAY || SNAPSHOT_MINUS_INFINITE_DAYS.contains(&day) => Ok(FIRST_DAY),
        _ => Err(ValueError::OutOfRange),
    })?;
    Ok(Arc::new(dates))
}

/// Timestamps without a zone, counted in `unit` since the epoch.
pub(super) fn to_timestamps(raw: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, ValueError> {
    let counts = raw.as_primitive_opt::<Int64Type>().ok_or(ValueError::Malformed)?;
    let timestamps = counts.try_unary::<_, TimestampMicrosecondType, _>(|count| microseconds(count, unit))?;
    Ok(Arc::new(timestamps))
}

fn microseconds(count: i64, unit: TimeUnit) -> Result<i64, ValueError> {
    let microseconds = match (count, unit) {
        (i64::MAX | i64::MIN, _) | (_, TimeUnit::Microsecond) => count,
        // Postgres has nothing below microseconds; MySQL neither.
        (_, TimeUnit::Nanosecond) => count.div_euclid(1_000),
        // What does not fit as microseconds is beyond the infinities.
        (_, TimeUnit::Millisecond) => count.saturating_mul(1_000),
        (_, TimeUnit::Second) => return Err(ValueError::Malformed),
    };
    Ok(match microseconds {
        INFINITE_MICROSECONDS.. => LAST_MICROSECOND,
        ..=MINUS_INFINITE_MICROSECONDS => FIRST_MICROSECOND,
        finite => finite,
    })
}

/// Timestamps with a zone: ISO text, or `infinity`.
pub(super) fn to_instants(raw: &ArrayRef) -> Result<ArrayRef, ValueError> {
    let texts = raw.as_string_opt::<i32>().ok_or(ValueError::Malformed)?;
    let mut instants = TimestampMicrosecondBuilder::with_capacity(texts.len());
    for text in texts {
        instants.append_option(text.map(|text| instant(text.as_bytes())).transpose()?);
    }
    Ok(Arc::new(instants.finish().with_timezone("UTC")))
}

/// Microseconds since the epoch of `2024-01-02T01:04:06.678901Z`, of `+21016-…`, and of other offsets than `Z`.
fn instant(text: &[u8]) -> Result<i64, ValueError> {
    match text {
        b"infinity" => return Ok(LAST_MICROSECOND),
        b"-infinity" => return Ok(FIRST_MICROSECOND),
        _ => {}
    }
    let mut text = Scanner(text);
    let day = text.date().ok_or(ValueError::Malformed)?;
    let time = text.time().ok_or(ValueError::Malformed)?;
    let offset = text.offset().filter(|_| text.0.is_empty()).ok_or(ValueError::Malformed)?;
    let midnight = day.checked_mul(MICROSECONDS_OF_DAY).ok_or(ValueError::OutOfRange)?;
    midnight.checked_add(time - offset).ok_or(ValueError::OutOfRange)
}

/// Reads an ISO 8601 timestamp from its front.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn skip(&mut self, byte: u8) -> Option<()> {
        let rest = self.0.strip_prefix(&[byte])?;
        self.0 = rest;
        Some(())
    }

    /// A number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let digits = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some(number.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    /// A number of two digits up to `most`.
    fn pair(&mut self, most: i64) -> Option<i64> {
        self.number(2, 2).filter(|value| *value <= most)
    }

    fn sign(&mut self) -> i64 {
        let negative = self.skip(b'-').is_some();
        if !negative {
            let _ = self.skip(b'+');
        }
        if negative { -1 } else { 1 }
    }

    /// Days since the epoch. Years have four digits, or a sign and up to nine.
    fn date(&mut self) -> Option<i64> {
        let year = self.sign() * self.number(4, 9)?;
        self.skip(b'-')?;
        let month = self.pair(12)?;
        self.skip(b'-')?;
        let day = self.pair(31)?;
        self.skip(b'T')?;
        Some(days_since_epoch(year, month, day))
    }

    /// Microseconds since midnight.
    fn time(&mut self) -> Option<i64> {
        let hours = self.pair(23)?;
        self.skip(b':')?;
        let minutes = self.pair(59)?;
        // ISO text may leave out what is zero.
        let seconds = if self.skip(b':').is_some() { self.pair(59)? } else { 0 };
        let fraction = if self.skip(b'.').is_some() { self.fraction()? } else { 0 };
        Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction)
    }

    /// Microseconds of up to nine digits after the point.
    fn fraction(&mut self) -> Option<i64> {
        let before = self.0.len();
        let value = self.number(1, 9)?;
        let digits = (before - self.0.len()) as u32;
        Some(value * 10_i64.pow(9 - digits) / 1_000)
    }

    /// Microseconds that the zone is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.skip(b'Z').is_some() {
            return Some(0);
        }
        if !matches!(self.0.first(), Some(b'+' | b'-')) {
            return None;
        }
        let sign = self.sign();
        let hours = self.pair(23)?;
        let minutes = if self.skip(b':').is_some() { self.pair(59)? } else { 0 };
        Some(sign * (hours * 60 + minutes) * 60 * 1_000_000)
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array, StringArray};

    use super::*;

    fn date(day: i32) -> Result<i32, ValueError> {
        let raw: ArrayRef = Arc::new(Int32Array::from(vec![day]));
        to_dates(&raw).map(|dates| dates.as_primitive::<Date32Type>().value(0))
    }

    #[test]
    fn infinite_dates_become_the_ends_of_the_four_digit_years() {
        assert_eq!(date(2_146_033_979), Ok(LAST_DAY));
        assert_eq!(date(-2_147_472_692), Ok(LAST_DAY));
        assert_eq!(date(-2_147_472_691), Ok(FIRST_DAY));
        assert_eq!(date(-622_191_234), Ok(LAST_DAY));
        assert_eq!(date(-625_821_272), Ok(FIRST_DAY));
        assert_eq!(i64::from(LAST_DAY), days_since_epoch(9999, 12, 31));
        assert_eq!(i64::from(FIRST_DAY), days_since_epoch(1, 1, 1));
    }

    #[test]
    fn every_finite_date_of_postgres_stays_and_no_other_passes() {
        for (year, month, day) in [(-4712, 1, 1), (5_874_897, 12, 31), (2024, 2, 29)] {
            let days = days_since_epoch(year, month, day) as i32;
            assert_eq!(date(days), Ok(days));
        }
        assert_eq!(date(i32::MAX), Err(ValueError::OutOfRange));
        assert_eq!(date(i32::MIN), Err(ValueError::OutOfRange));
    }

    #[test]
    fn timestamps_are_microseconds_whatever_their_unit() {
        for (count, unit) in [
            (1_704_164_645_678, TimeUnit::Millisecond),
            (1_704_164_645_678_000, TimeUnit::Microsecond),
            (1_704_164_645_678_000_000, TimeUnit::Nanosecond),
        ] {
            let raw: ArrayRef = Arc::new(Int64Array::from(vec![count]));
            let timestamps = to_timestamps(&raw, unit).unwrap();
            assert_eq!(timestamps.as_primitive::<TimestampMicrosecondType>().value(0), 1_704_164_645_678_000);
        }
    }

    #[test]
    fn infinite_timestamps_become_the_ends_of_the_four_digit_years() {
        for unit in [TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            assert_eq!(microseconds(i64::MAX, unit), Ok(LAST_MICROSECOND));
            assert_eq!(microseconds(i64::MIN, unit), Ok(FIRST_MICROSECOND));
        }
        for unit in [TimeUnit::Millisecond, TimeUnit::Microsecond] {
            assert_eq!(microseconds(9_223_372_036_825_200_000, unit), Ok(LAST_MICROSECOND));
            assert_eq!(microseconds(-9_223_372_036_832_400_000, unit), Ok(FIRST_MICROSECOND));
        }
        assert_eq!(microseconds(253_402_214_400_000, TimeUnit::Millisecond), Ok(253_402_214_400_000_000));
    }

    #[test]
    fn iso_text_is_read_with_expanded_years_fractions_and_offsets() {
        let expected = [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-01-02T01:04:06.678901Z", 1_704_157_446_678_901),
            ("2024-01-02T01:04:06.5Z", 1_704_157_446_500_000),
            ("2024-01-02T03:04:06+02:00", 1_704_157_446_000_000),
            ("2024-01-01T19:34:06-05:30", 1_704_157_446_000_000),
            ("2024-01-02T01:04Z", 1_704_157_440_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("+21016-11-04T00:00:00Z", days_since_epoch(21016, 11, 4) * MICROSECONDS_OF_DAY),
            ("-0043-03-15T00:00:00Z", days_since_epoch(-43, 3, 15) * MICROSECONDS_OF_DAY),
            ("infinity", LAST_MICROSECOND),
            ("-infinity", FIRST_MICROSECOND),
            ("9999-12-31T23:59:59.999999Z", LAST_MICROSECOND),
            ("0001-01-01T00:00:00Z", FIRST_MICROSECOND),
        ];
        for (text, microseconds) in expected {
            assert_eq!(instant(text.as_bytes()), Ok(microseconds), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_timestamp_is_refused() {
        for text in ["", "now", "2024-13-01T00:00:00Z", "2024-01-02", "2024-01-02T01:04:06", "2024-01-02T01:04:06Z!"] {
            assert_eq!(instant(text.as_bytes()), Err(ValueError::Malformed), "{text}");
        }
        assert_eq!(instant(b"+294277-01-01T00:00:00Z"), Err(ValueError::OutOfRange));
    }

    #[test]
    fn null_stays_null_and_the_zone_is_utc() {
        let raw: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        let instants = to_instants(&raw).unwrap();
        assert!(instants.is_null(0));
        assert_eq!(instants.data_type(), &crate::decode::column::Conversion::ZonedTimestamp.data_type());
    }
}
