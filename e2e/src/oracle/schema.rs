//! What the oracle says of a table before its rows.

use serde::Deserialize;

/// One row: a value per column of the [`Header`]. Scalars are text or null, lists arrays, structs objects, and maps arrays
/// of [key, value]; the text of each type is described in `Values.java`.
pub type Row = Vec<serde_json::Value>;

/// The version that was read and its columns.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// The table's version.
    pub version: i64,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A column of a table, or a field of a struct.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DeltaType,
}

/// A type as the Delta protocol writes it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum DeltaType {
    /// A scalar, by its name: `long`, `decimal(12,2)`, `timestamp_ntz`, …
    Primitive(String),
    /// A type made of others.
    Nested(Nested),
}

/// A type made of others.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Nested {
    /// A list.
    Array {
        /// What the list holds.
        element_type: Box<DeltaType>,
    },
    /// A map.
    Map {
        /// The keys' type.
        key_type: Box<DeltaType>,
        /// The values' type.
        value_type: Box<DeltaType>,
    },
    /// A struct.
    Struct {
        /// Its fields, in order.
        fields: Vec<Column>,
    },
}

impl std::fmt::Display for DeltaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Primitive(name) => f.write_str(name),
            Self::Nested(Nested::Array { element_type }) => write!(f, "array of {element_type}"),
            Self::Nested(Nested::Map { key_type, value_type }) => write!(f, "map of {key_type} to {value_type}"),
            Self::Nested(Nested::Struct { fields }) => {
                let fields: Vec<_> = fields.iter().map(|field| format!("{} {}", field.name, field.data_type)).collect();
                write!(f, "struct of {}", fields.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_types_are_read_as_the_delta_protocol_writes_them() {
        let json = r#"{"version": 3, "columns": [
            {"name": "amount", "type": "decimal(12,2)"},
            {"name": "tags", "type": {"type": "array", "elementType": "string", "containsNull": true}},
            {"name": "place", "type": {"type": "struct", "fields": [
                {"name": "x", "type": "double", "nullable": true, "metadata": {}}]}}]}"#;
        let header: Header = serde_json::from_str(json).unwrap();
        let types: Vec<_> = header.columns.iter().map(|column| column.data_type.to_string()).collect();
        assert_eq!(types, ["decimal(12,2)", "array of string", "struct of x double"]);
    }
}
