//! A column of the source table: what Debezium sends for it, and how that becomes the Arrow type that Delta holds.

mod bytes;
mod calendar;
mod clock;
mod decimal;
mod nested;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::{DataType, TimeUnit};

use self::decimal::DecimalScale;
use super::connect_schema::{ConnectSchema, Kind};
use super::error::DecodeErrorKind;

/// Why a value cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueError {
    /// The target type cannot hold it.
    OutOfRange,
    /// It is not written as its type says.
    Malformed,
}

/// A column and its conversion.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    type_name: String,
    conversion: Conversion,
}

impl Column {
    pub(super) fn new(name: &str, schema: &ConnectSchema) -> Result<Self, DecodeErrorKind> {
        let type_name = schema.type_name().to_owned();
        match Conversion::of(schema) {
            Some(conversion) => Ok(Self { name: name.to_owned(), type_name, conversion }),
            None => Err(DecodeErrorKind::UnsupportedType { column: name.to_owned(), column_type: type_name }),
        }
    }

    /// The type in Delta.
    pub(super) fn data_type(&self) -> DataType {
        self.conversion.data_type()
    }

    /// Converts what arrow-json or arrow-avro read.
    pub(super) fn convert(&self, raw: &ArrayRef) -> Result<ArrayRef, DecodeErrorKind> {
        self.conversion.convert(raw).map_err(|error| {
            let (column, column_type) = (self.name.clone(), self.type_name.clone());
            match error {
                ValueError::OutOfRange => DecodeErrorKind::OutOfRange { column, column_type },
                ValueError::Malformed => DecodeErrorKind::Malformed { column, column_type },
            }
        })
    }
}

/// How the values of a type are converted. The rules are those of docs/types.md.
#[derive(Debug, PartialEq)]
enum Conversion {
    /// Numbers, booleans and text stay what they are.
    Plain(DataType),
    Binary,
    /// `numeric(p,s)` and `money`.
    Decimal(DecimalScale),
    /// `numeric(p,s)` beyond 38 digits: exact text. Holds the scale.
    DecimalText(i32),
    /// `numeric` without precision: exact text.
    VariableDecimal,
    Date,
    /// Without a zone, counted in this unit.
    Timestamp(TimeUnit),
    /// With a zone: ISO text in UTC.
    ZonedTimestamp,
    /// Time of day, counted in this unit.
    TimeOfDay(TimeUnit),
    /// Text of zeros and ones, filled up to this length.
    Bits(usize),
    List(Box<Conversion>),
    Map(Box<Conversion>),
    Struct(Vec<(String, Conversion)>),
}

impl Conversion {
    /// `None`: there is no Delta type for it.
    fn of(schema: &ConnectSchema) -> Option<Self> {
        Some(match (schema.semantic.as_deref(), &schema.kind) {
            (Some(name), kind) if is_time(name) => Self::of_time(name, kind)?,
            (Some("org.apache.kafka.connect.data.Decimal"), Kind::Bytes) => decimal::conversion(schema)?,
            (Some("io.debezium.data.VariableScaleDecimal"), Kind::Struct(_)) => Self::VariableDecimal,
            (Some("io.debezium.data.Bits"), Kind::Bytes) => Self::Bits(bytes::bits_length(schema)),
            (Some("io.debezium.data.geometry.Point"), Kind::Struct(_)) => Self::of_struct(schema, &["x", "y"])?,
            (_, Kind::Boolean) => Self::Plain(DataType::Boolean),
            (_, Kind::Int8) => Self::Plain(DataType::Int8),
            (_, Kind::Int16) => Self::Plain(DataType::Int16),
            (_, Kind::Int32) => Self::Plain(DataType::Int32),
            (_, Kind::Int64) => Self::Plain(DataType::Int64),
            (_, Kind::Float32) => Self::Plain(DataType::Float32),
            (_, Kind::Float64) => Self::Plain(DataType::Float64),
            (_, Kind::String) => Self::Plain(DataType::Utf8),
            (_, Kind::Bytes) => Self::Binary,
            (_, Kind::Array(items)) => Self::List(Box::new(Self::of(items)?)),
            (_, Kind::Map(values)) => Self::Map(Box::new(Self::of(values)?)),
            (_, Kind::Struct(_)) => Self::of_struct(schema, &[])?,
            (_, Kind::Other(_)) => return None,
        })
    }

    /// Meanings of numbers that are not known are refused: a timestamp must not pass for a number.
    fn of_time(name: &str, kind: &Kind) -> Option<Self> {
        let (_, short) = name.rsplit_once('.')?;
        Some(match (short, kind) {
            ("Date", Kind::Int32) => Self::Date,
            ("Time", Kind::Int32) => Self::TimeOfDay(TimeUnit::Millisecond),
            ("MicroTime", Kind::Int64) => Self::TimeOfDay(TimeUnit::Microsecond),
            ("NanoTime", Kind::Int64) => Self::TimeOfDay(TimeUnit::Nanosecond),
            ("Timestamp", Kind::Int64) => Self::Timestamp(TimeUnit::Millisecond),
            ("MicroTimestamp", Kind::Int64) => Self::Timestamp(TimeUnit::Microsecond),
            ("NanoTimestamp", Kind::Int64) => Self::Timestamp(TimeUnit::Nanosecond),
            ("ZonedTimestamp", Kind::String) => Self::ZonedTimestamp,
            ("Year", Kind::Int32) => Self::Plain(DataType::Int32),
            ("MicroDuration", Kind::Int64) => Self::Plain(DataType::Int64),
            (_, Kind::String) => Self::Plain(DataType::Utf8),
            _ => return None,
        })
    }

    /// A struct of the fields of `only`, or of all fields if that is empty.
    fn of_struct(schema: &ConnectSchema, only: &[&str]) -> Option<Self> {
        let fields = schema.fields().iter();
        let fields = fields.filter(|field| only.is_empty() || only.contains(&field.name.as_str()));
        let fields: Option<Vec<_>> = fields.map(|field| Some((field.name.clone(), Self::of(&field.schema)?))).collect();
        fields.filter(|fields| !fields.is_empty()).map(Self::Struct)
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Plain(data_type) => data_type.clone(),
            Self::Binary => DataType::Binary,
            Self::Decimal(scale) => scale.data_type(),
            Self::DecimalText(_) | Self::VariableDecimal | Self::TimeOfDay(_) | Self::Bits(_) => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::ZonedTimestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::List(items) => DataType::List(nested::element(items)),
            Self::Map(values) => nested::map_type(values),
            Self::Struct(fields) => DataType::Struct(nested::struct_fields(fields)),
        }
    }

    fn convert(&self, raw: &ArrayRef) -> Result<ArrayRef, ValueError> {
        match self {
            Self::Plain(data_type) => plain(raw, data_type),
            Self::Binary => Ok(Arc::new(bytes::binary(raw)?)),
            Self::Decimal(scale) => decimal::to_decimals(&bytes::binary(raw)?, *scale),
            Self::DecimalText(scale) => decimal::to_text(&bytes::binary(raw)?, |_| *scale),
            Self::VariableDecimal => decimal::variable_to_text(raw),
            Self::Date => calendar::to_dates(raw),
            Self::Timestamp(unit) => calendar::to_timestamps(raw, *unit),
            Self::ZonedTimestamp => calendar::to_instants(raw),
            Self::TimeOfDay(unit) => clock::to_text(raw, *unit),
            Self::Bits(length) => bytes::bits_to_text(&bytes::binary(raw)?, *length),
            Self::List(items) => nested::to_list(raw, items),
            Self::Map(values) => nested::to_map(raw, values),
            Self::Struct(fields) => nested::to_struct(raw, fields),
        }
    }
}

fn is_time(name: &str) -> bool {
    let connect = ["Date", "Time", "Timestamp"]
        .iter()
        .any(|short| name.strip_suffix(short) == Some("org.apache.kafka.connect.data."));
    connect || name.starts_with("io.debezium.time.")
}

/// Avro has no integers below 32 bits; everything else has its type already.
fn plain(raw: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ValueError> {
    if raw.data_type() == data_type {
        return Ok(raw.clone());
    }
    if !(raw.data_type().is_integer() && data_type.is_integer()) {
        return Err(ValueError::Malformed);
    }
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    arrow_cast::cast_with_options(raw, data_type, &options).map_err(|_| ValueError::OutOfRange)
}

/// Column `name` of a struct, null where the struct is. arrow-avro fills in zeros below a null struct.
pub(super) fn child(parent: &StructArray, name: &str) -> Option<ArrayRef> {
    let column = parent.column_by_name(name)?;
    match parent.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let absent = arrow_array::BooleanArray::new(!nulls.inner(), None);
            arrow_select::nullif::nullif(column, &absent).ok()
        }
        _ => Some(column.clone()),
    }
}

/// A struct that a reader must have produced.
pub(super) fn as_struct(raw: &ArrayRef) -> Result<&StructArray, ValueError> {
    raw.as_struct_opt().ok_or(ValueError::Malformed)
}
