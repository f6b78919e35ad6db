//! Why a pass failed: one table says for each kind of error its reason, what to do, and how soon it is tried again.

use std::time::Duration;

use crate::apply::ApplyError;
use crate::backoff::Retry;
use crate::log::described;
use crate::observe::SecretError;
use crate::plan::Rejection;
use crate::report::Part;

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The object is not what its CRD says: it was stored under an older one.
    #[error("the resource cannot be read: {0}")]
    Unreadable(String),
    /// The spec, or what it refers to, cannot work.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A Secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A child cannot be written or deleted.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The finalizer cannot be set or removed.
    #[error("cannot change the resource's finalizers")]
    Finalizer(#[source] kube::Error),
    /// The status cannot be written.
    #[error("cannot write the resource's status")]
    Status(#[source] kube::Error),
    /// It took too long.
    #[error("the pass took longer than {} s and was abandoned", .0.as_secs())]
    Timeout(Duration),
}

/// What a kind of error calls for.
struct Remedy {
    reason: &'static str,
    advice: &'static str,
    retry: Retry,
}

const fn remedy(reason: &'static str, advice: &'static str, retry: Retry) -> Remedy {
    Remedy { reason, advice, retry }
}

impl PassError {
    /// One word in `PascalCase`: the condition's reason, the event's, and the metric's label.
    pub fn reason(&self) -> &'static str {
        self.remedy().reason
    }

    /// How soon it is tried again.
    pub fn retry(&self) -> Retry {
        self.remedy().retry
    }

    /// The same as a part of the resource that needs somebody.
    pub fn part(&self) -> Part {
        let Remedy { reason, advice, .. } = self.remedy();
        let message = described(self);
        Part::bad(reason, if advice.is_empty() { message } else { format!("{message}; {advice}") })
    }

    fn remedy(&self) -> Remedy {
        match self {
            Self::Unreadable(_) => remedy(
                "Unreadable",
                "correct it with kubectl edit, or delete it and apply it again",
                Retry::seconds(60, 600),
            ),
            // Its text has the advice. A Secret that is missing may come without any change of the resource.
            Self::Rejected(rejection) => remedy(rejection.reason, "", Retry::seconds(5, 60)),
            Self::Secret(SecretError::Api { source, .. })
            | Self::Apply(ApplyError::Api { source, .. })
            | Self::Finalizer(source)
            | Self::Status(source) => of_api(source),
            Self::Secret(_) => remedy("SecretUnusable", "", Retry::seconds(5, 60)),
            Self::Apply(ApplyError::Foreign { .. }) => remedy("NameTaken", "", Retry::seconds(10, 300)),
            Self::Timeout(_) => remedy(
                "ReconcileTimeout",
                "the API server or the source database is slow: it is tried again",
                Retry::seconds(5, 120),
            ),
        }
    }
}

/// What the API server's answer, or its silence, calls for.
fn of_api(error: &kube::Error) -> Remedy {
    let kube::Error::Api(status) = error else {
        return remedy("ApiUnreachable", "the API server does not answer: it is tried again", Retry::seconds(2, 60));
    };
    match status.code {
        403 => remedy(
            "Forbidden",
            "install the chart's RBAC again (helm upgrade), or look for a quota or an admission policy that refuses it",
            Retry::seconds(30, 300),
        ),
        404 => {
            remedy("NotFound", "look whether the namespace and the kind's CRD are still there", Retry::seconds(5, 120))
        }
        409 => remedy("Conflict", "somebody else changed it meanwhile: it is tried again", Retry::seconds(1, 30)),
        400 | 422 => remedy(
            "Invalid",
            "change the field of the spec that it comes from; a field that cannot be changed later must be set back",
            Retry::seconds(30, 300),
        ),
        429 => remedy("TooManyRequests", "the API server is busy: it is tried again", Retry::seconds(5, 60)),
        _ => remedy("ApiServerError", "the API server failed: it is tried again", Retry::seconds(2, 60)),
    }
}
