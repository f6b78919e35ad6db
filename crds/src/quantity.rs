//! A number of bytes in a resource: `256Mi`, `10Gi`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A number of bytes, written as in Kubernetes: a whole number with one of `k M G T` (powers of 1000) or
/// `Ki Mi Gi Ti` (powers of 1024), or without a unit. Keeps the spelling it was read with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    text: String,
    bytes: u64,
}

/// The text is not a number of bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a size: write a whole number with one of Ki, Mi, Gi, Ti, k, M, G, T, such as 256Mi or 10Gi")]
pub struct QuantityError {
    text: String,
}

const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
];

impl Quantity {
    /// A whole number of mebibytes.
    pub fn mebibytes(number: u32) -> Self {
        Self { text: format!("{number}Mi"), bytes: u64::from(number) << 20 }
    }

    /// A whole number of gibibytes.
    pub fn gibibytes(number: u32) -> Self {
        Self { text: format!("{number}Gi"), bytes: u64::from(number) << 30 }
    }

    /// The number of bytes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = parse(text).ok_or_else(|| QuantityError { text: text.to_owned() })?;
        Ok(Self { text: text.to_owned(), bytes })
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == &text[digits..])?;
    text[..digits].parse::<u64>().ok()?.checked_mul(*unit)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Quantity {
    type Error = QuantityError;

    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 24})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_counts_bytes_and_keeps_its_spelling() {
        for (text, bytes) in
            [("1024", 1024), ("1k", 1_000), ("256Mi", 268_435_456), ("10Gi", 10_737_418_240), ("2T", 2_000_000_000_000)]
        {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.bytes(), bytes, "{text}");
            assert_eq!(quantity.to_string(), text);
        }
    }

    #[test]
    fn a_bad_quantity_is_refused_with_the_format() {
        for text in ["", "Mi", "1.5Gi", "-1", "5MB", "5 Mi", "99999999999Ti"] {
            let error = text.parse::<Quantity>().unwrap_err().to_string();
            assert!(error.contains("256Mi or 10Gi"), "{text}: {error}");
        }
    }
}
