//! An Avro writer schema: as a Connect schema, and as the schemas that arrow-avro reads with.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::connect_schema::{ConnectSchema, Field, Kind};

/// Deeper schemas are refused; they would be recursive, which no table is.
const MAX_DEPTH: usize = 32;

/// A writer schema with every reference to a named type replaced by its definition and every name made unique, so
/// that parts of it can be cut out.
#[derive(Debug)]
pub(super) struct AvroSchema {
    expanded: Value,
    pub(super) connect: ConnectSchema,
}

impl AvroSchema {
    /// Parses the schema as the registry holds it. The error says what is wrong with it.
    pub(super) fn parse(schema: &str) -> Result<Self, String> {
        let schema: Value = match serde_json::from_str(schema) {
            Ok(schema) => schema,
            Err(error) => return Err(error.to_string()),
        };
        let expanded = Expansion::default().expand(&schema, "", "value", 0)?;
        Ok(Self { connect: connect_schema(&expanded), expanded })
    }

    /// The schema without meanings: what lies in the bytes and nothing else.
    pub(super) fn writer(&self) -> Value {
        physical(&self.expanded)
    }

    /// [`AvroSchema::writer`] with only the fields that `wanted` names at the top and, where it has a list for one,
    /// only those fields of it.
    pub(super) fn reader(&self, wanted: &[(&str, Option<&[&str]>)]) -> Value {
        let mut schema = self.writer();
        keep_fields(&mut schema, |name| wanted.iter().any(|(field, _)| *field == name));
        let fields = schema.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            let only = wanted.iter().find(|(name, _)| field["name"] == *name).and_then(|(_, only)| *only);
            if let (Some(only), Some(field_type)) = (only, field.get_mut("type")) {
                keep_fields(field_type, |name| only.contains(&name));
            }
        }
        schema
    }
}

/// Removes the fields of a record (or of the record in a union) that `keep` does not want.
fn keep_fields(schema: &mut Value, keep: impl Fn(&str) -> bool + Copy) {
    match schema {
        Value::Array(branches) => branches.iter_mut().for_each(|branch| keep_fields(branch, keep)),
        Value::Object(object) => {
            if let Some(Value::Array(fields)) = object.get_mut("fields") {
                fields.retain(|field| field["name"].as_str().is_some_and(keep));
            }
        }
        _ => {}
    }
}

/// Definitions of named types seen so far, by full name, each with its namespace.
#[derive(Default)]
struct Expansion {
    named: HashMap<String, (Value, String)>,
}

impl Expansion {
    /// `path` becomes the name of a record, enum or fixed: unique, since it is the place in the tree.
    fn expand(&mut self, schema: &Value, namespace: &str, path: &str, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply or refers to itself".to_owned());
        }
        match schema {
            Value::String(name) if is_primitive(name) => Ok(schema.clone()),
            Value::String(name) => {
                let (definition, namespace) = self.find(name, namespace)?;
                self.expand(&definition, &namespace, path, depth + 1)
            }
            Value::Array(branches) => {
                branches.iter().map(|branch| self.expand(branch, namespace, path, depth + 1)).collect()
            }
            Value::Object(object) => self.expand_object(object, namespace, path, depth),
            _ => Err("it has a type that is neither a name, a list nor an object".to_owned()),
        }
    }

    fn find(&self, name: &str, namespace: &str) -> Result<(Value, String), String> {
        let found = self.named.get(&full_name(name, namespace)).or_else(|| self.named.get(name));
        found.cloned().ok_or_else(|| format!("it refers to the type {name}, which it does not define"))
    }

    fn expand_object(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        path: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let mut expanded = object.clone();
        let namespace = self.define(object, namespace);
        match object.get("type").and_then(Value::as_str) {
            Some("record") => {
                let fields = object.get("fields").and_then(Value::as_array).ok_or("a record has no fields")?;
                let fields = fields.iter().map(|field| self.expand_field(field, &namespace, path, depth));
                expanded.insert("fields".to_owned(), fields.collect::<Result<_, _>>()?);
                expanded.insert("name".to_owned(), path.into());
            }
            Some("enum" | "fixed") => {
                expanded.insert("name".to_owned(), path.into());
            }
            Some(container @ ("array" | "map")) => {
                let inner = if container == "array" { "items" } else { "values" };
                let schema = object.get(inner).ok_or_else(|| format!("an {container} has no {inner}"))?;
                expanded
                    .insert(inner.to_owned(), self.expand(schema, &namespace, &format!("{path}_{inner}"), depth + 1)?);
            }
            Some(name) if is_primitive(name) => {}
            _ => {
                let inner = object.get("type").ok_or("a part of it has no type")?;
                return self.expand(inner, &namespace, path, depth + 1);
            }
        }
        Ok(Value::Object(expanded))
    }

    fn expand_field(&mut self, field: &Value, namespace: &str, path: &str, depth: usize) -> Result<Value, String> {
        let name = field["name"].as_str().ok_or("a field has no name")?;
        let field_type = self.expand(&field["type"], namespace, &format!("{path}_{name}"), depth + 1)?;
        Ok(json!({"name": name, "type": field_type, "default": field["default"]}))
    }

    /// Remembers a named type. Returns the namespace for what is inside.
    fn define(&mut self, object: &Map<String, Value>, namespace: &str) -> String {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let (Some(name), Some("record" | "enum" | "fixed")) = (text("name"), text("type")) else {
            return namespace.to_owned();
        };
        let full = full_name(name, text("namespace").unwrap_or(namespace));
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        self.named.entry(full).or_insert_with(|| (Value::Object(object.clone()), inner.clone()));
        inner
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn is_primitive(name: &str) -> bool {
    matches!(name, "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string")
}

/// Removes everything that does not change the bytes. Without logical types arrow-avro hands out plain numbers and
/// bytes, the same as arrow-json does, and one set of conversions serves both.
fn physical(schema: &Value) -> Value {
    match schema {
        Value::Array(branches) => branches.iter().map(physical).collect(),
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, value) in object {
                let value = match key.as_str() {
                    "items" | "values" => physical(value),
                    "fields" => value.as_array().into_iter().flatten().map(physical_field).collect(),
                    "type" | "name" | "size" | "symbols" => value.clone(),
                    _ => continue,
                };
                kept.insert(key.clone(), value);
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

fn physical_field(field: &Value) -> Value {
    json!({"name": field["name"], "type": physical(&field["type"])})
}

/// The Connect schema that an expanded Avro schema was made from (the `connect.*` attributes of Confluent's and
/// Apicurio's converters).
fn connect_schema(schema: &Value) -> ConnectSchema {
    match schema {
        Value::Array(branches) => union_schema(branches),
        Value::String(name) => plain(primitive(name, None)),
        _ => object_schema(schema),
    }
}

fn union_schema(branches: &[Value]) -> ConnectSchema {
    let mut others = branches.iter().filter(|branch| *branch != "null");
    match (others.next(), others.next()) {
        (Some(one), None) => ConnectSchema { optional: branches.len() > 1, ..connect_schema(one) },
        _ => plain(Kind::Other("union".to_owned())),
    }
}

fn object_schema(schema: &Value) -> ConnectSchema {
    let name = schema["type"].as_str().unwrap_or_default();
    let kind = match name {
        "record" => Kind::Struct(schema["fields"].as_array().into_iter().flatten().map(connect_field).collect()),
        "array" => Kind::Array(Box::new(connect_schema(&schema["items"]))),
        "map" => Kind::Map(Box::new(connect_schema(&schema["values"]))),
        _ => primitive(name, schema["connect.type"].as_str()),
    };
    let parameters = schema["connect.parameters"].as_object().into_iter().flatten();
    ConnectSchema {
        kind,
        semantic: schema["connect.name"].as_str().map(str::to_owned),
        optional: false,
        parameters: parameters.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        default: Some(schema["connect.default"].clone()).filter(|default| !default.is_null()),
    }
}

fn connect_field(field: &Value) -> Field {
    let mut schema = connect_schema(&field["type"]);
    let default = Some(field["default"].clone()).filter(|default| !default.is_null());
    schema.default = schema.default.or(default);
    Field { name: field["name"].as_str().unwrap_or_default().to_owned(), schema }
}

fn plain(kind: Kind) -> ConnectSchema {
    ConnectSchema { kind, semantic: None, optional: false, parameters: HashMap::new(), default: None }
}

fn primitive(avro: &str, connect: Option<&str>) -> Kind {
    match (avro, connect) {
        ("int", Some("int8")) => Kind::Int8,
        ("int", Some("int16")) => Kind::Int16,
        ("int", _) => Kind::Int32,
        ("long", _) => Kind::Int64,
        ("float", _) => Kind::Float32,
        ("double", _) => Kind::Float64,
        ("boolean", _) => Kind::Boolean,
        ("string", _) => Kind::String,
        ("bytes", _) => Kind::Bytes,
        (other, _) => Kind::Other(format!("Avro {other}")),
    }
}
