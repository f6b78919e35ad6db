//! Kafka Connect's schema of a value, whichever converter wrote it, and how the JSON converter writes it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// A Connect schema: what a value is physically (`kind`) and what it means (`semantic`).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConnectSchema {
    pub(super) kind: Kind,
    /// Debezium's or Connect's name of the meaning, such as `io.debezium.time.Date`.
    pub(super) semantic: Option<String>,
    pub(super) optional: bool,
    /// For instance `scale` and `connect.decimal.precision`.
    pub(super) parameters: HashMap<String, String>,
    /// The default, if there is one other than null.
    pub(super) default: Option<Value>,
}

/// Connect's types.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    String,
    Bytes,
    Array(Box<ConnectSchema>),
    /// A map with string keys; the schema is that of the values.
    Map(Box<ConnectSchema>),
    Struct(Vec<Field>),
    /// What no column can have, by its name: maps with other keys, unions, enums.
    Other(String),
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: ConnectSchema,
}

impl ConnectSchema {
    /// Parses the `schema` part of a JSON message.
    pub(super) fn from_json(schema: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<JsonSchema>(schema).map(Self::from)
    }

    /// The fields of a struct; none for anything else.
    pub(super) fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// The schema of the field `name` of a struct.
    pub(super) fn field(&self, name: &str) -> Option<&ConnectSchema> {
        self.fields().iter().find(|field| field.name == name).map(|field| &field.schema)
    }

    /// The semantic name, or Connect's type; for messages.
    pub(super) fn type_name(&self) -> &str {
        self.semantic.as_deref().unwrap_or_else(|| self.kind.name())
    }
}

impl Kind {
    /// The kind of a primitive by Connect's name.
    fn primitive(name: &str) -> Self {
        match name {
            "boolean" => Self::Boolean,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float" | "float32" => Self::Float32,
            "double" | "float64" => Self::Float64,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            other => Self::Other(other.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Boolean => "boolean",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Struct(_) => "struct",
            Self::Other(name) => name,
        }
    }
}

/// A schema as `JsonConverter` writes it.
#[derive(Deserialize)]
struct JsonSchema {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    optional: bool,
    name: Option<String>,
    #[serde(default)]
    parameters: HashMap<String, String>,
    default: Option<Value>,
    /// Name of this schema's field in the struct around it.
    field: Option<String>,
    #[serde(default)]
    fields: Vec<JsonSchema>,
    items: Option<Box<JsonSchema>>,
    keys: Option<Box<JsonSchema>>,
    values: Option<Box<JsonSchema>>,
}

impl From<JsonSchema> for ConnectSchema {
    fn from(json: JsonSchema) -> Self {
        let kind = match (json.kind.as_str(), json.items, json.keys, json.values) {
            ("array", Some(items), ..) => Kind::Array(Box::new((*items).into())),
            ("map", _, Some(keys), Some(values)) if keys.kind == "string" => Kind::Map(Box::new((*values).into())),
            ("struct", ..) => Kind::Struct(json.fields.into_iter().map(Field::from).collect()),
            (name, ..) => Kind::primitive(name),
        };
        Self {
            kind,
            semantic: json.name,
            optional: json.optional,
            parameters: json.parameters,
            default: json.default.filter(|default| !default.is_null()),
        }
    }
}

impl From<JsonSchema> for Field {
    fn from(mut json: JsonSchema) -> Self {
        Self { name: json.field.take().unwrap_or_default(), schema: json.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_keeps_names_parameters_and_defaults_of_its_fields() {
        let schema = ConnectSchema::from_json(
            r#"{"type":"struct","optional":true,"fields":[
                {"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,
                 "parameters":{"scale":"2"},"default":"AA==","field":"price"},
                {"type":"array","items":{"type":"int32","optional":true},"optional":true,"field":"numbers"}]}"#,
        )
        .unwrap();
        let price = schema.field("price").unwrap();
        assert_eq!(price.kind, Kind::Bytes);
        assert_eq!(price.type_name(), "org.apache.kafka.connect.data.Decimal");
        assert_eq!(price.parameters["scale"], "2");
        assert_eq!(price.default, Some(Value::from("AA==")));
        let Kind::Array(items) = &schema.field("numbers").unwrap().kind else { panic!("not an array") };
        assert_eq!(items.kind, Kind::Int32);
    }

    #[test]
    fn a_map_whose_keys_are_not_strings_is_no_type_that_a_column_can_have() {
        let schema =
            ConnectSchema::from_json(r#"{"type":"map","keys":{"type":"int16"},"values":{"type":"double"}}"#).unwrap();
        assert_eq!(schema.kind, Kind::Other("map".to_owned()));
    }
}
