//! A time of day in a resource: `22:00`, in UTC.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A time of day in UTC, to the minute, written as `HH:MM` from `00:00` to `23:59`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    minutes: u16,
}

/// The text is not a time of day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a time of day: write hours and minutes of UTC in two digits each, from 00:00 to 23:59")]
pub struct TimeOfDayError {
    text: String,
}

impl TimeOfDay {
    /// How long after midnight.
    pub fn since_midnight(self) -> std::time::Duration {
        std::time::Duration::from_mins(u64::from(self.minutes))
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let minutes = parse(text).ok_or_else(|| TimeOfDayError { text: text.to_owned() })?;
        Ok(Self { minutes })
    }
}

fn parse(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// Two digits below an end.
fn number(text: &str, end: u16) -> Option<u16> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < end)
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeOfDayError;

    fn try_from(text: String) -> Result<Self, TimeOfDayError> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 5})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_and_written_in_the_same_form() {
        for (text, minutes) in [("00:00", 0), ("04:05", 245), ("22:00", 1_320), ("23:59", 1_439)] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!(time.since_midnight().as_secs(), minutes * 60, "{text}");
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn a_bad_time_of_day_is_refused_with_the_format() {
        for text in ["", "22", "22:", ":00", "24:00", "22:60", "4:00", "04:0", "22:00:00", "-1:00", "+1:00", "22:00Z"] {
            let error = text.parse::<TimeOfDay>().unwrap_err().to_string();
            assert!(error.contains("from 00:00 to 23:59"), "{text}: {error}");
        }
    }
}
