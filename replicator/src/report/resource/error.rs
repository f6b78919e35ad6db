//! Why the resource's status cannot be written, and what to do about it.

use kube::config::InferConfigError;
use kube::core::Status;

use super::ResourceName;

/// Why the resource's status cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    /// Nothing says where the API server is.
    #[error(
        "no Kubernetes API server is known: run in a pod whose ServiceAccount's token is mounted \
         (automountServiceAccountToken), name a KUBECONFIG, or leave --status-of out"
    )]
    NoCluster(#[source] Box<InferConfigError>),
    /// The client refuses its settings.
    #[error("the client of the Kubernetes API cannot be set up")]
    Client(#[source] Box<kube::Error>),
    /// The API server does not answer, or not in time.
    #[error("the Kubernetes API server cannot be reached")]
    Unreachable(#[source] Box<kube::Error>),
    /// The API server takes too long.
    #[error("the Kubernetes API server does not answer within {0} s")]
    TooSlow(u64),
    /// The `ServiceAccount` may not do it.
    #[error(
        "the API server forbids it ({message}): the pod's ServiceAccount needs a Role with get on cdcreplications and \
         patch on cdcreplications/status, for the name {name} in the namespace {namespace}"
    )]
    Forbidden {
        /// What the API server said.
        message: String,
        /// The resource's name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// The API server does not know who asks.
    #[error(
        "the API server does not accept the token of the pod's ServiceAccount ({0}): restart the pod to get a new one"
    )]
    Unauthorized(String),
    /// There is no such resource.
    #[error("there is no CdcReplication {0}: apply the resource and its CRD, or correct --status-of")]
    Missing(ResourceName),
    /// The status does not fit the CRD.
    #[error(
        "the API server does not take it ({code}: {message}): the CRD may be of another version than this replicator; \
         apply the CRD of this version (helm does not upgrade CRDs)"
    )]
    Refused {
        /// HTTP status.
        code: u16,
        /// What the API server said.
        message: String,
    },
}

impl ReportError {
    pub(super) fn of(resource: &ResourceName, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(resource, *status),
            error => Self::Unreachable(Box::new(error)),
        }
    }

    fn of_status(resource: &ResourceName, status: Status) -> Self {
        let Status { code, message, .. } = status;
        let ResourceName { namespace, name } = resource.clone();
        match code {
            401 => Self::Unauthorized(message),
            403 => Self::Forbidden { message, name, namespace },
            404 => Self::Missing(resource.clone()),
            code => Self::Refused { code, message },
        }
    }
}
