//! What to say about a field that the schema does not have, and about a value of the wrong type.

use serde_json::Value;

use crate::check::Violation;

/// A field that nobody reads: the nearest name, or all names of that place.
pub(super) fn field(schema: &Value, path: &serde_ignored::Path<'_>) -> Option<Violation> {
    let path = dotted(path);
    // kube's own deserialization passes over these two; they are checked before.
    if path == "apiVersion" || path == "kind" {
        return None;
    }
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", &path));
    let advice = advice(name, &fields(schema, parent));
    Some(Violation::new(path.clone(), "there is no such field", advice))
}

fn advice(name: &str, names: &[&str]) -> String {
    let nearest = names.iter().max_by(|a, b| similarity(name, a).total_cmp(&similarity(name, b)));
    match nearest.filter(|nearest| similarity(name, nearest) > 0.7) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if names.is_empty() => "remove it; nothing can be set here".to_owned(),
        None => format!("the fields here are {}", names.join(", ")),
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_lowercase(), &b.to_lowercase())
}

/// A value that cannot be read: serde's message, and the description of the field.
pub(super) fn wrong_type(schema: &Value, error: &serde_path_to_error::Error<serde_json::Error>) -> Violation {
    let path = error.path().to_string();
    let message = error.inner().to_string();
    let field = at(schema, if path == "." { "" } else { &path });
    let fix = match missing(&message) {
        Some(name) => {
            let about = field.and_then(|field| description(&field["properties"][name])).unwrap_or_default();
            format!("add {name}. {about}")
        }
        None => field.and_then(description).unwrap_or("see docs/reference.md for what belongs here").to_owned(),
    };
    Violation::new(path, message, fix.trim_end())
}

/// The name in serde's "missing field" message.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The first paragraph of a field's description.
fn description(field: &Value) -> Option<&str> {
    field["description"].as_str()?.split("\n\n").next()
}

/// `spec.tables[0].name` of serde's path.
fn dotted(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

/// The part of the schema that a path such as `spec.tables[0]` leads to.
fn at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(schema, |place, step| {
        let (name, index) = step.split_once('[').map_or((step, None), |(name, index)| (name, Some(index)));
        let field = place["properties"].get(name)?;
        Some(if index.is_some() { &field["items"] } else { field })
    })
}

/// The names that can be set at a place; the schema of a CRD leaves out those that every resource has.
fn fields<'a>(schema: &'a Value, path: &str) -> Vec<&'a str> {
    match path {
        "" => vec!["apiVersion", "kind", "metadata", "spec"],
        "metadata" => vec!["annotations", "labels", "name", "namespace"],
        _ => {
            let fields = at(schema, path).and_then(|place| place["properties"].as_object());
            fields.map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default()
        }
    }
}
