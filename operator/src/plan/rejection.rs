//! Why a resource cannot be served as it is.

use std::fmt::Write;

use tributary_crds::check::Violation;

use crate::build::connector::ConnectorError;

/// The resource cannot be served, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}; {advice}")]
pub struct Rejection {
    /// Where: a path such as `spec.tables[1].target`.
    pub field: String,
    /// One word in `PascalCase`, for programs.
    pub reason: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl Rejection {
    pub(super) fn new(
        field: impl Into<String>,
        reason: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), reason, message: message.into(), advice: advice.into() }
    }

    /// A resource that did not come from an API server has no owner reference.
    pub(super) fn not_stored() -> Self {
        let message = "the resource has no uid, so it was never stored in an API server";
        Self::new("metadata.uid", "NotStored", message, "apply it with kubectl apply")
    }

    /// Only for a document that the checks have let through all the same.
    pub(super) fn of_connector(error: &ConnectorError) -> Self {
        Self::new("spec", "InvalidSpec", error.to_string(), "correct the field that it names")
    }

    /// The first violation, with the others in its message.
    pub(super) fn of_violations(violations: &[Violation]) -> Result<(), Self> {
        let Some((first, others)) = violations.split_first() else { return Ok(()) };
        let mut message = first.message.clone();
        for other in others {
            let _ = write!(message, "; also {}: {} ({})", other.path, other.message, other.fix);
        }
        Err(Self::new(&first.path, "InvalidSpec", message, &first.fix))
    }
}
