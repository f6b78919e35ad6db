//! What is asked for a column, in which form it comes, and what it becomes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};

use super::super::{Column, sql};

/// Digits that Delta's decimal can hold.
const MAX_PRECISION: i32 = 38;
/// Digits of money.
const MONEY: (u8, i8) = (19, 2);

/// The form in which a value comes, and thereby its type in Arrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Uuid,
    Binary,
    Decimal(u8, i8),
    Date,
    Timestamp,
    ZonedTimestamp,
    Time,
    ZonedTime,
    Point,
    List(Box<Wire>),
}

impl Wire {
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Text | Self::Uuid | Self::Time | Self::ZonedTime => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::ZonedTimestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Point => DataType::Struct(point_fields()),
            Self::List(element) => DataType::List(Arc::new(element_field(element))),
        }
    }
}

/// The element of a list, under the name that Delta's Parquet files give it.
pub(super) fn element_field(element: &Wire) -> Field {
    Field::new("element", element.data_type(), true)
}

pub(super) fn point_fields() -> Fields {
    ["x", "y"].map(|name| Field::new(name, DataType::Float64, true)).into_iter().collect()
}

/// The expression to select and its form; `None` for what does not get into the Delta table.
pub(super) fn of(column: &Column) -> Option<(String, Wire)> {
    let name = sql::identifier(&column.name);
    if !column.is_supported() {
        return None;
    }
    if column.dimensions == 0 {
        return scalar(column, &name);
    }
    let (element, wire) = scalar(column, "item.value")?;
    let wire = Wire::List(Box::new(wire));
    if element == "item.value" {
        return Some((name, wire));
    }
    let items =
        format!("SELECT {element} FROM unnest({name}) WITH ORDINALITY AS item (value, number) ORDER BY item.number");
    Some((format!("CASE WHEN {name} IS NOT NULL THEN ARRAY({items}) END"), wire))
}

fn scalar(column: &Column, x: &str) -> Option<(String, Wire)> {
    let (as_it_is, as_text) = (|wire: Wire| Some((x.to_owned(), wire)), |sql: String| Some((sql, Wire::Text)));
    let arguments = arguments(&column.sql_type);
    match column.base.as_str() {
        _ if column.is_enum => as_it_is(Wire::Text),
        "bool" => as_it_is(Wire::Bool),
        "int2" => as_it_is(Wire::Int16),
        "int4" => as_it_is(Wire::Int32),
        "int8" => as_it_is(Wire::Int64),
        "oid" => Some((format!("({x})::bigint"), Wire::Int64)),
        "float4" => as_it_is(Wire::Float32),
        "float8" => as_it_is(Wire::Float64),
        "text" | "varchar" | "bpchar" | "citext" | "name" | "json" => as_it_is(Wire::Text),
        "uuid" => as_it_is(Wire::Uuid),
        "bytea" => as_it_is(Wire::Binary),
        "date" => as_it_is(Wire::Date),
        "timestamp" => as_it_is(Wire::Timestamp),
        "timestamptz" => as_it_is(Wire::ZonedTimestamp),
        "time" => as_it_is(Wire::Time),
        "timetz" => as_it_is(Wire::ZonedTime),
        "point" => as_it_is(Wire::Point),
        "money" => Some((format!("({x})::numeric"), Wire::Decimal(MONEY.0, MONEY.1))),
        "numeric" => numeric(&arguments, x),
        "bit" if matches!(arguments.as_slice(), [] | [1]) => Some((format!("({x} = B'1')"), Wire::Bool)),
        // Debezium does not send the length of a value, so it is that of the column, or none.
        "varbit" => as_text(match arguments.first() {
            Some(length) => format!("lpad(({x})::text, {length}, '0')"),
            None => format!("ltrim(({x})::text, '0')"),
        }),
        "interval" => as_text(iso_interval(x)),
        // A cast to text would add a mask to an address without one.
        "inet" => as_text(format!("CASE WHEN {x} IS NOT NULL THEN concat({x}) END")),
        "hstore" => as_text(format!(
            "CASE WHEN {x} IS NOT NULL THEN '{{' || coalesce((SELECT string_agg(to_json(key)::text || ':' || \
             coalesce(to_json(value)::text, 'null'), ',') FROM each({x})), '') || '}}' END"
        )),
        // Not tried yet: PostGIS and pgvector.
        "geometry" | "geography" | "vector" | "halfvec" => None,
        _ => as_text(format!("({x})::text")),
    }
}

/// A decimal of Delta if it fits, else exact text. Debezium drops trailing zeros where no scale is declared.
fn numeric(arguments: &[i32], x: &str) -> Option<(String, Wire)> {
    let (precision, scale) = match *arguments {
        [precision, scale] => (precision, scale),
        [precision] => (precision, 0),
        _ => return Some((format!("trim_scale({x})::text"), Wire::Text)),
    };
    // Debezium takes a scale below zero for another one.
    let scale = u8::try_from(scale).ok()?;
    let precision = precision.max(scale.into());
    if precision > MAX_PRECISION {
        return Some((format!("({x})::text"), Wire::Text));
    }
    Some((x.to_owned(), Wire::Decimal(u8::try_from(precision).ok()?, i8::try_from(scale).ok()?)))
}

/// `12` and `2` of `numeric(12,2)[]`.
fn arguments(sql_type: &str) -> Vec<i32> {
    let inside = sql_type.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    inside
        .map(|(inside, _)| inside.split(',').filter_map(|number| number.trim().parse().ok()).collect())
        .unwrap_or_default()
}

/// Every part of an interval, also those that are zero, as Debezium writes it: `P0Y0M2DT0H0M1.5S`.
fn iso_interval(x: &str) -> String {
    let part = |field: &str| format!("trim_scale(extract({field} FROM {x}))");
    let [year, month, day] = ["year", "month", "day"].map(part);
    let [hour, minute, second] = ["hour", "minute", "second"].map(part);
    format!(
        "'P' || {year} || 'Y' || {month} || 'M' || {day} || 'DT' || {hour} || 'H' || {minute} || 'M' || {second} || 'S'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: &str, sql_type: &str, dimensions: i32) -> Column {
        Column {
            name: "a \"b\"".to_owned(),
            sql_type: sql_type.to_owned(),
            base: base.to_owned(),
            is_enum: false,
            dimensions,
            toastable: false,
            nullable_with_default: false,
            generated: false,
            in_key: false,
        }
    }

    fn wire(base: &str, sql_type: &str) -> Option<Wire> {
        of(&column(base, sql_type, 0)).map(|(_, wire)| wire)
    }

    #[test]
    fn a_decimal_is_one_of_delta_where_it_fits() {
        assert_eq!(wire("numeric", "numeric(12,2)"), Some(Wire::Decimal(12, 2)));
        assert_eq!(wire("numeric", "numeric(38,0)"), Some(Wire::Decimal(38, 0)));
        assert_eq!(wire("numeric", "numeric(3,5)"), Some(Wire::Decimal(5, 5)));
        assert_eq!(wire("numeric", "numeric(50,10)"), Some(Wire::Text));
        assert_eq!(wire("numeric", "numeric"), Some(Wire::Text));
        assert_eq!(wire("numeric", "numeric(2,-3)"), None);
    }

    #[test]
    fn what_does_not_get_into_the_delta_table_is_not_read() {
        assert_eq!(wire("box", "box"), None);
        assert_eq!(of(&column("int4", "integer[][]", 2)), None);
    }

    #[test]
    fn an_array_is_read_as_it_is_where_its_elements_are() {
        let (expression, wire) = of(&column("int4", "integer[]", 1)).unwrap();
        assert_eq!((expression.as_str(), wire), ("\"a \"\"b\"\"\"", Wire::List(Box::new(Wire::Int32))));
        let (expression, wire) = of(&column("inet", "inet[]", 1)).unwrap();
        assert!(expression.contains("unnest(\"a \"\"b\"\"\")"), "{expression}");
        assert_eq!(wire, Wire::List(Box::new(Wire::Text)));
    }
}
