//! Reads a `CdcReplication` from a YAML (or JSON) text, with messages that name the path and the fix.

mod unknown;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use kube::{CustomResourceExt, Resource};
use serde_json::Value;

use crate::{
    CdcReplication,
    check::{Violation, check},
};

/// The text is not a `CdcReplication` that can be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not YAML.
    #[error("the text is not YAML")]
    Syntax(#[source] Box<serde_saphyr::Error>),
    /// It holds no resource of our kind, or more than one.
    #[error("{0}")]
    Kind(String),
    /// It is one, and these values of it are wrong.
    #[error("{}", listed(.0))]
    Invalid(Vec<Violation>),
}

fn listed(violations: &[Violation]) -> String {
    let mut text = match violations {
        [_] => "one value of the document is wrong:".to_owned(),
        _ => format!("{} values of the document are wrong:", violations.len()),
    };
    for violation in violations {
        for line in violation.to_string().lines() {
            let _ = write!(text, "\n  {line}");
        }
    }
    text
}

/// Reads the one `CdcReplication` of a text and checks it. All violations are reported at once, except that a value of
/// the wrong type hides those that [`check`] would find.
pub fn parse(yaml: &str) -> Result<CdcReplication, DocumentError> {
    let document = the_resource(yaml)?;
    let mut violations = Vec::new();
    let schema = schema();
    let resource = {
        let mut ignored = |path: serde_ignored::Path<'_>| violations.extend(unknown::field(&schema, &path));
        let deserializer = serde_ignored::Deserializer::new(&document, &mut ignored);
        serde_path_to_error::deserialize::<_, CdcReplication>(deserializer)
    };
    match resource {
        Ok(resource) => {
            violations.extend(check(&resource));
            if violations.is_empty() { Ok(resource) } else { Err(DocumentError::Invalid(violations)) }
        }
        Err(error) => {
            violations.push(unknown::wrong_type(&schema, &error));
            Err(DocumentError::Invalid(violations))
        }
    }
}

/// The one document of our kind among the documents of a text.
fn the_resource(yaml: &str) -> Result<Value, DocumentError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| DocumentError::Syntax(Box::new(error)))?;
    let (api_version, kind) = (CdcReplication::api_version(&()), CdcReplication::kind(&()));
    let mut ours = documents.into_iter().filter(|document| document["kind"] == *kind);
    let document = ours.next().ok_or_else(|| {
        DocumentError::Kind(format!(
            "there is no `kind: {kind}`; it begins with `apiVersion: {api_version}`, `kind: {kind}`"
        ))
    })?;
    if ours.next().is_some() {
        return Err(DocumentError::Kind(format!("there are several `kind: {kind}`; put each in a file of its own")));
    }
    if document["apiVersion"] != *api_version {
        let message =
            format!("apiVersion is {}, and this version reads `apiVersion: {api_version}`", document["apiVersion"]);
        return Err(DocumentError::Kind(message));
    }
    Ok(document)
}

/// The resource's schema, as in the CRD.
pub(crate) fn schema() -> Value {
    let crd = CdcReplication::crd();
    let validation = crd.spec.versions.into_iter().next().and_then(|version| version.schema);
    serde_json::to_value(validation.and_then(|schema| schema.open_api_v3_schema)).unwrap_or_default()
}
