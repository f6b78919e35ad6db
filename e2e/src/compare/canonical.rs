//! One text form for a value, whichever side it comes from: the oracle's (see `Values.java`), with floats and maps normalised.
//!
//! The Postgres side is brought to it by SQL, which depends on the source's type and on the type that Delta gave it.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use super::postgres::SourceColumn;
use crate::oracle::{DeltaType, Nested};

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

/// The SQL that gives a source column in the form in which the oracle prints the Delta type.
pub(super) fn expression(column: &SourceColumn, data_type: &DeltaType) -> Result<String, String> {
    let quoted = format!("\"{}\"", column.name.replace('"', "\"\""));
    let sql = match (data_type, &column.element) {
        (DeltaType::Primitive(delta), _) => scalar(&column.type_name, delta, &quoted),
        (DeltaType::Nested(Nested::Array { element_type }), Some(element)) => list(element, element_type, &quoted),
        (DeltaType::Nested(Nested::Map { .. }), None) if column.type_name == "hstore" => Some(hstore_entries(&quoted)),
        _ => None,
    };
    sql.ok_or_else(|| format!("column {} of type {} cannot become {data_type}", column.name, column.type_name))
}

fn list(element: &str, element_type: &DeltaType, x: &str) -> Option<String> {
    let DeltaType::Primitive(delta) = element_type else { return None };
    let item = scalar(element, delta, "u.e")?;
    let items = format!("SELECT {item} FROM unnest({x}) WITH ORDINALITY AS u(e, o) ORDER BY u.o");
    Some(format!("CASE WHEN {x} IS NOT NULL THEN array_to_json(ARRAY({items}))::text END"))
}

fn hstore_entries(x: &str) -> String {
    let entries = format!("SELECT json_agg(json_build_array(u.key, u.value)) FROM each({x}) AS u");
    format!("CASE WHEN {x} IS NOT NULL THEN coalesce(({entries}), '[]')::text END")
}

/// What can become what. A pair that is not here is a mistake in the Delta table's schema.
fn scalar(source: &str, delta: &str, x: &str) -> Option<String> {
    let sql = match (delta, source) {
        ("string", "bytea") => return None,
        // A cast to text would drop the blanks that pad a char(n).
        ("string", "bpchar") => format!("CASE WHEN {x} IS NOT NULL THEN concat({x}) END"),
        ("string", _) | ("boolean", "bool") | ("float", "float4") | ("double", "float4" | "float8") => {
            format!("({x})::text")
        }
        ("boolean", "bit") => format!("(({x}) = B'1')::text"),
        ("short" | "integer" | "long", "int2" | "int4" | "int8") => format!("({x})::text"),
        ("long", "oid") => format!("({x})::text"),
        ("long", "time" | "interval") => microseconds(x),
        ("date", "date") => bounded(x, "date", &format!("{x} - date '1970-01-01'")),
        ("timestamp_ntz", "timestamp") => bounded(x, "timestamp", &microseconds(x)),
        ("timestamp", "timestamptz") => bounded(x, "timestamptz", &microseconds(x)),
        ("binary", "bytea") => format!("encode({x}, 'hex')"),
        (decimal, "numeric" | "money") if decimal.starts_with("decimal") => finite_numeric(x),
        _ => return None,
    };
    Some(sql)
}

fn microseconds(x: &str) -> String {
    format!("(extract(epoch FROM {x}) * 1000000)::bigint::text")
}

/// Delta's dates and timestamps go from year 1 to 9999; what is outside, infinities included, is null there.
fn bounded(x: &str, source: &str, sql: &str) -> String {
    let mut text = format!("CASE WHEN {x} >= {source} '0001-01-01' AND {x} < {source} '10000-01-01' THEN ");
    // A String takes whatever is written to it.
    let _ = write!(text, "({sql})::text END");
    text
}

/// A decimal has no NaN and no infinity; they are null there.
fn finite_numeric(x: &str) -> String {
    format!("CASE WHEN ({x})::text NOT IN ('NaN', 'Infinity', '-Infinity') THEN ({x})::numeric::text END")
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
        let column = SourceColumn { name: "id".into(), type_name: "int8".into(), element: None, key: Some(0) };
        let problem = expression(&column, &DeltaType::Primitive("date".into())).unwrap_err();
        assert_eq!(problem, "column id of type int8 cannot become date");
    }
}
