//! Values of rows, and the Arrow arrays they travel in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

/// One value of one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Time(i64),
    /// Hundredths.
    Decimal(i128),
}

/// The values of a row in the order of the columns; of a key, in key order.
pub(crate) type Row = Vec<Value>;

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int32,
    Int64,
    Text,
    Date,
    Time,
    Decimal,
}

impl Kind {
    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal => DataType::Decimal128(12, 2),
        }
    }

    /// The type by Delta's name for it.
    pub(crate) fn of_delta(name: &str) -> Option<Self> {
        Some(match name {
            "integer" => Self::Int32,
            "long" => Self::Int64,
            "string" => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Time,
            "decimal(12,2)" => Self::Decimal,
            _ => return None,
        })
    }

    pub(crate) fn array<'a>(self, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
        let int = |value: &Value| if let Value::Int(value) = value { Some(*value) } else { None };
        let date = |value: &Value| if let Value::Date(value) = value { Some(*value) } else { None };
        let time = |value: &Value| if let Value::Time(value) = value { Some(*value) } else { None };
        let decimal = |value: &Value| if let Value::Decimal(value) = value { Some(*value) } else { None };
        match self {
            Self::Int32 => Arc::new(values.map(|value| int(value).map(|value| value as i32)).collect::<Int32Array>()),
            Self::Int64 => Arc::new(values.map(int).collect::<Int64Array>()),
            Self::Text => Arc::new(
                values
                    .map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
                    .collect::<StringArray>(),
            ),
            Self::Date => Arc::new(values.map(date).collect::<Date32Array>()),
            Self::Time => Arc::new(values.map(time).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            Self::Decimal => {
                let array = values.map(decimal).collect::<Decimal128Array>();
                Arc::new(array.with_precision_and_scale(12, 2).unwrap())
            }
        }
    }
}

/// The values of a column as a reader finds them.
pub(crate) fn values(array: &ArrayRef) -> Vec<Value> {
    let value = |row: usize| match array.data_type() {
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Decimal128(12, 2) => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        other => panic!("a data file holds the type {other}"),
    };
    (0..array.len()).map(|row| if array.is_null(row) { Value::Null } else { value(row) }).collect()
}

/// A value of `partitionValues`: Delta writes them as texts, and an empty one is null.
pub(crate) fn of_partition(kind: Kind, text: Option<&str>) -> Value {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Value::Null };
    match kind {
        Kind::Text => Value::Text(text.to_owned()),
        Kind::Int32 | Kind::Int64 => Value::Int(text.parse().unwrap()),
        Kind::Date => {
            let day: jiff::civil::Date = text.parse().unwrap();
            Value::Date(day.since(jiff::civil::date(1970, 1, 1)).unwrap().get_days())
        }
        Kind::Time => {
            let time: jiff::civil::DateTime = text.parse().unwrap();
            Value::Time(time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond())
        }
        Kind::Decimal => {
            let (whole, hundredths) = text.split_once('.').unwrap_or((text, "00"));
            let hundredths: i128 = format!("{hundredths:0<2}").parse().unwrap();
            let whole: i128 = whole.parse().unwrap();
            Value::Decimal(whole * 100 + if text.starts_with('-') { -hundredths } else { hundredths })
        }
    }
}
