//! Dates and times in their binary form, which count from 2000; and times of day, which become text.

use super::ValueError;

/// From 1970 to 2000.
const DAYS: i32 = 10_957;
const MICROSECONDS: i64 = 946_684_800_000_000;
/// 9999-12-31 and 0001-01-01 stand for the infinities.
const LAST_DAY: i32 = 2_932_896;
const FIRST_DAY: i32 = -719_162;
const LAST_MICROSECOND: i64 = 253_402_300_799_999_999;
const FIRST_MICROSECOND: i64 = -62_135_596_800_000_000;
const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// Days since 1970.
pub(super) fn date(days: i32) -> Result<i32, ValueError> {
    match days {
        i32::MAX => Ok(LAST_DAY),
        i32::MIN => Ok(FIRST_DAY),
        days => days.checked_add(DAYS).ok_or(ValueError::OutOfRange),
    }
}

/// Microseconds since 1970.
pub(super) fn timestamp(microseconds: i64) -> Result<i64, ValueError> {
    match microseconds {
        i64::MAX => Ok(LAST_MICROSECOND),
        i64::MIN => Ok(FIRST_MICROSECOND),
        microseconds => microseconds.checked_add(MICROSECONDS).ok_or(ValueError::OutOfRange),
    }
}

/// `HH:MM:SS.ffffff`; midnight at the end of the day is `24:00:00.000000`.
pub(super) fn time(microseconds: i64) -> Result<String, ValueError> {
    if !(0..=MICROSECONDS_OF_DAY).contains(&microseconds) {
        return Err(ValueError::OutOfRange);
    }
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    Ok(format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// The time in UTC, without zeros behind the last digit: `05:30:15.5Z`. `west`: seconds west of UTC.
pub(super) fn zoned_time(microseconds: i64, west: i32) -> Result<String, ValueError> {
    let text = time((microseconds + i64::from(west) * 1_000_000).rem_euclid(MICROSECONDS_OF_DAY))?;
    Ok(format!("{}Z", text.trim_end_matches('0').trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_timestamps_count_from_1970_and_infinities_are_the_ends() {
        assert_eq!((date(0), date(-DAYS)), (Ok(10_957), Ok(0)));
        assert_eq!((date(i32::MAX), date(i32::MIN)), (Ok(LAST_DAY), Ok(FIRST_DAY)));
        assert_eq!(timestamp(-MICROSECONDS), Ok(0));
        assert_eq!((timestamp(i64::MAX), timestamp(i64::MIN)), (Ok(LAST_MICROSECOND), Ok(FIRST_MICROSECOND)));
        assert_eq!(timestamp(i64::MAX - 1), Err(ValueError::OutOfRange));
    }

    #[test]
    fn times_of_day_are_texts_that_sort_like_them() {
        assert_eq!(time(27_015_123_456).unwrap(), "07:30:15.123456");
        assert_eq!(time(MICROSECONDS_OF_DAY).unwrap(), "24:00:00.000000");
        assert_eq!(time(-1), Err(ValueError::OutOfRange));
        assert_eq!(zoned_time(27_015_123_456, -7200).unwrap(), "05:30:15.123456Z");
        assert_eq!(zoned_time(43_200_500_000, -14 * 3600).unwrap(), "22:00:00.5Z");
        assert_eq!(zoned_time(0, 0).unwrap(), "00:00:00Z");
    }
}
