//! The rules of the CRD, evaluated as the API server does.

use kube::CustomResourceExt;
use kube_cel::ValidationErrors;
use serde_json::Value;

use crate::CdcReplication;

impl CdcReplication {
    /// Whether the API server would take it.
    pub(crate) fn validate_cel(&self) -> Result<(), ValidationErrors> {
        validate(self, None)
    }

    /// Whether the API server would take it in the place of `old`.
    pub(crate) fn validate_cel_update(&self, old: &Self) -> Result<(), ValidationErrors> {
        validate(self, Some(old))
    }
}

fn validate(resource: &CdcReplication, old: Option<&CdcReplication>) -> Result<(), ValidationErrors> {
    let value = |resource: &CdcReplication| serde_json::to_value(resource).unwrap();
    let definition: Value = serde_json::to_value(CdcReplication::crd()).unwrap();
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
    kube_cel::validate(schema, &value(resource), old.map(value).as_ref())
}
