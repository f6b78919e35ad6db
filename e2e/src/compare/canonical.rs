//! One text form for a value, whichever side it comes from: the oracle's (see `Values.java`), with floats and maps normalised.
//!
//! The Postgres side is brought to it by SQL, which depends on the source's type and on the type that Delta gave it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::postgres::SourceColumn;
use crate::oracle::{DeltaType, Nested};

/// The text of a JSON object of texts with its keys in order: an hstore has no order of its own.
pub(super) fn sorted_object(text: &str) -> String {
    let object: Result<BTreeMap<String, Option<String>>, _> = serde_json::from_str(text);
    object.ok().and_then(|object| serde_json::to_string(&object).ok()).unwrap_or_else(|| text.to_owned())
}

/// The canonical text of a Delta value; `None` for null.
pub(super) fn canonical_text<'a>(data_type: &DeltaType, value: &'a Value) -> Option<Cow<'a, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(canonical_scalar(data_type, text)),
        nested => Some(Cow::Owned(canonical_value(data_type, nested).to_string())),
    }
}

/// Adds the canonical text of a value that came from Postgres by [`expression`].
pub(super) fn push_source(text: &mut String, data_type: &DeltaType, value: &str) {
    match data_type {
        DeltaType::Primitive(_) => text.push_str(&canonical_scalar(data_type, value)),
        // What is not JSON can only be unequal, which is what a comparison should then say.
        DeltaType::Nested(_) => match serde_json::from_str(value) {
            Ok(value) => text.push_str(&canonical_value(data_type, &value).to_string()),
            Err(_) => text.push_str(value),
        },
    }
}

fn canonical_scalar<'a>(data_type: &DeltaType, text: &'a str) -> Cow<'a, str> {
    match data_type {
        DeltaType::Primitive(name) if name == "double" => float(text.parse::<f64>().ok(), text),
        DeltaType::Primitive(name) if name == "float" => float(text.parse::<f32>().ok(), text),
        _ => Cow::Borrowed(text),
    }
}

/// Java and Postgres print the same float in different ways; Rust's shortest form decides.
fn float<T: std::fmt::Debug>(value: Option<T>, text: &str) -> Cow<'_, str> {
    value.map_or(Cow::Borrowed(text), |value| Cow::Owned(format!("{value:?}")))
}

fn canonical_value(data_type: &DeltaType, value: &Value) -> Value {
    match (data_type, value) {
        (_, Value::String(text)) => Value::String(canonical_scalar(data_type, text).into_owned()),
        (DeltaType::Nested(Nested::Array { element_type }), Value::Array(items)) => {
            Value::Array(items.iter().map(|item| canonical_value(element_type, item)).collect())
        }
        (DeltaType::Nested(Nested::Map { key_type, value_type }), Value::Array(entries)) => {
            let entry = |entry: &Value| {
                Value::Array(vec![canonical_value(key_type, &entry[0]), canonical_value(value_type, &entry[1])])
            };
            let mut entries: Vec<_> = entries.iter().map(entry).collect();
            entries.sort_by_key(|entry| entry[0].to_string());
            Value::Array(entries)
        }
        (DeltaType::Nested(Nested::Struct { fields }), Value::Object(values)) => {
            let field = |column: &crate::oracle::Column| {
                let value = values.get(&column.name).unwrap_or(&Value::Null);
                (column.name.clone(), canonical_value(&column.data_type, value))
            };
            Value::Object(fields.iter().map(field).collect())
        }
        (_, other) => other.clone(),
    }
}

/// The SQL that gives a source column in the form in which the oracle prints the Delta type. The rules for what Delta
/// cannot hold are those of docs/types.md.
pub(super) fn expression(column: &SourceColumn, data_type: &DeltaType) -> Result<String, String> {
    let quoted = format!("\"{}\"", column.name.replace('"', "\"\""));
    let sql = match (data_type, &column.element) {
        (DeltaType::Primitive(delta), None) => scalar(&column.type_name, column.modifier, delta, &quoted),
        (DeltaType::Nested(Nested::Array { element_type }), Some(element)) => {
            list(element, column.modifier, element_type, &quoted)
        }
        (DeltaType::Nested(Nested::Struct { .. }), None) if column.type_name == "point" => Some(point(&quoted)),
        _ => None,
    };
    sql.ok_or_else(|| format!("column {} of type {} must not become {data_type}", column.name, column.type_name))
}

fn list(element: &str, modifier: Option<i32>, element_type: &DeltaType, x: &str) -> Option<String> {
    let DeltaType::Primitive(delta) = element_type else { return None };
    let item = scalar(element, modifier, delta, "u.e")?;
    let items = format!("SELECT {item} FROM unnest({x}) WITH ORDINALITY AS u(e, o) ORDER BY u.o");
    Some(format!("CASE WHEN {x} IS NOT NULL THEN array_to_json(ARRAY({items}))::text END"))
}

fn point(x: &str) -> String {
    format!("CASE WHEN {x} IS NOT NULL THEN json_build_object('x', ({x})[0]::text, 'y', ({x})[1]::text)::text END")
}

/// What becomes what. A pair that is not here is a mistake in the Delta table's schema.
fn scalar(source: &str, modifier: Option<i32>, delta: &str, x: &str) -> Option<String> {
    let sql = match (delta, source) {
        ("boolean", "bool")
        | ("short", "int2")
        | ("integer", "int4")
        | ("long", "int8" | "oid")
        | ("float", "float4")
        | ("double", "float8") => format!("({x})::text"),
        ("boolean", "bit") => format!("({x} = B'1')::text"),
        ("binary", "bytea") => format!("encode({x}, 'hex')"),
        ("date", "date") => finite(x, LAST_DAY, FIRST_DAY, &format!("({x} - date '1970-01-01')::text")),
        ("timestamp_ntz", "timestamp") | ("timestamp", "timestamptz") => finite(
            x,
            LAST_MICROSECOND,
            FIRST_MICROSECOND,
            &format!("(extract(epoch FROM {x}) * 1000000)::bigint::text"),
        ),
        (decimal, "numeric") if modifier.is_some() && decimal.starts_with("decimal") => format!("({x})::text"),
        (decimal, "money") if decimal.starts_with("decimal") => format!("({x})::numeric::text"),
        ("string", text) => text_of(text, modifier, x)?,
        _ => return None,
    };
    Some(sql)
}

/// The days of 9999-12-31 and 0001-01-01, which stand for the infinities.
const LAST_DAY: i64 = 2_932_896;
const FIRST_DAY: i64 = -719_162;
/// The last and the first microsecond of these days.
const LAST_MICROSECOND: i64 = 253_402_300_799_999_999;
const FIRST_MICROSECOND: i64 = -62_135_596_800_000_000;

fn finite(x: &str, last: i64, first: i64, sql: &str) -> String {
    format!("CASE WHEN {x} = 'infinity' THEN '{last}' WHEN {x} = '-infinity' THEN '{first}' ELSE {sql} END")
}

/// How a type looks that has no counterpart in Delta. Types that have one must not become text.
fn text_of(source: &str, modifier: Option<i32>, x: &str) -> Option<String> {
    let sql = match source {
        "bool" | "int2" | "int4" | "int8" | "oid" | "float4" | "float8" | "date" | "timestamp" | "timestamptz"
        | "bytea" | "money" | "point" => return None,
        // A cast to text would drop the blanks that pad a char(n), and add a mask to an address without one.
        "bpchar" | "inet" => format!("CASE WHEN {x} IS NOT NULL THEN concat({x}) END"),
        // Beyond 38 digits the scale is that of the column; without a declared scale trailing zeros are not sent.
        "numeric" if modifier.is_none() => format!("trim_scale({x})::text"),
        // Debezium does not send the length of a value, so it is that of the column, or none.
        "varbit" => match modifier {
            Some(length) => format!("lpad(({x})::text, {length}, '0')"),
            None => format!("ltrim(({x})::text, '0')"),
        },
        "time" => format!("to_char(({x})::interval, 'HH24:MI:SS.US')"),
        "timetz" => {
            let time = format!("to_char((({x}) AT TIME ZONE 'UTC')::time::interval, 'HH24:MI:SS.US')");
            format!("rtrim(rtrim({time}, '0'), '.') || 'Z'")
        }
        "interval" => iso_interval(x),
        "hstore" => format!("hstore_to_json({x})::text"),
        _ => format!("({x})::text"),
    };
    Some(sql)
}

/// Every part of an interval, also those that are zero: `P0Y0M2DT0H0M1.5S`.
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
    use crate::oracle::Header;

    fn canonical(data_type: &str, value: &str) -> Option<String> {
        let header = format!(r#"{{"version": 0, "columns": [{{"name": "x", "type": {data_type}}}]}}"#);
        let header: Header = serde_json::from_str(&header).unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        canonical_text(&header.columns[0].data_type, &value).map(Cow::into_owned)
    }

    #[test]
    fn floats_are_equal_however_they_are_printed() {
        assert_eq!(canonical(r#""double""#, r#""1.0E-5""#), canonical(r#""double""#, r#""1e-05""#));
        assert_eq!(canonical(r#""float""#, r#""16777216""#), canonical(r#""float""#, r#""1.6777216E7""#));
        assert_eq!(canonical(r#""double""#, r#""-Infinity""#).as_deref(), Some("-inf"));
        assert_ne!(canonical(r#""double""#, r#""-0""#), canonical(r#""double""#, r#""0""#));
    }

    #[test]
    fn lists_keep_their_order_and_their_nulls() {
        let list = r#"{"type": "array", "elementType": "double", "containsNull": true}"#;
        assert_eq!(canonical(list, r#"["1", null, "2.50"]"#).as_deref(), Some(r#"["1.0",null,"2.5"]"#));
        assert_eq!(canonical(list, "null"), None);
        assert_eq!(canonical(list, "[]").as_deref(), Some("[]"));
    }

    #[test]
    fn maps_are_equal_in_any_order_of_keys() {
        let map = r#"{"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true}"#;
        assert_eq!(canonical(map, r#"[["b", null], ["a", "1"]]"#), canonical(map, r#"[["a", "1"], ["b", null]]"#));
    }

    #[test]
    fn a_type_that_a_source_column_cannot_become_is_named() {
        let column =
            SourceColumn { name: "id".into(), type_name: "int8".into(), element: None, modifier: None, key: Some(0) };
        let problem = expression(&column, &DeltaType::Primitive("date".into())).unwrap_err();
        assert_eq!(problem, "column id of type int8 must not become date");
    }
}
