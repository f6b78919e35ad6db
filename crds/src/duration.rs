//! A length of time in a resource: `500ms`, `5s`, `1m30s`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time, to the millisecond, written as numbers with the units `h`, `m`, `s` and `ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

/// The text is not a length of time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a length of time: write numbers with the units h, m, s or ms, such as 500ms, 5s or 1m30s")]
pub struct DurationError {
    text: String,
}

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Duration {
    /// A whole number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// A whole number of milliseconds.
    pub const fn milliseconds(milliseconds: u64) -> Self {
        Self(std::time::Duration::from_millis(milliseconds))
    }

    /// The same length as the standard library has it.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let milliseconds = parse(text).ok_or_else(|| DurationError { text: text.to_owned() })?;
        Ok(Self::milliseconds(milliseconds))
    }
}

fn parse(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let number: u64 = rest[..digits].parse().ok()?;
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[digits..letters])?;
        total = total.checked_add(number.checked_mul(*unit)?)?;
        rest = &rest[letters..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis() as u64;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Duration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_and_written_in_the_same_units() {
        for (text, milliseconds, canonical) in [
            ("500ms", 500, "500ms"),
            ("5s", 5_000, "5s"),
            ("1m30s", 90_000, "1m30s"),
            ("90s", 90_000, "1m30s"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration, Duration::milliseconds(milliseconds), "{text}");
            assert_eq!(duration.to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn a_bad_duration_is_refused_with_the_format() {
        for text in ["", "5", "s", "5 s", "5sec", "-5s", "1.5s", "5s3", "99999999999999999999s"] {
            let error = text.parse::<Duration>().unwrap_err().to_string();
            assert!(error.contains("500ms, 5s or 1m30s"), "{text}: {error}");
        }
    }
}
