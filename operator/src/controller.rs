//! The loop: one pass per resource, at most one at a time for each, with a limit of time around it.

mod context;
mod pass;
mod report;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tributary_crds::CdcReplication;

pub use context::{Context, Memory};

use crate::error::PassError;
use crate::metrics::ObjectState;
use crate::watch::{Guarded, key};
use pass::Pass;

/// For the report of a pass that failed.
const REPORT_LIMIT: Duration = Duration::from_secs(10);
/// Annotation by which the operator leaves a resource alone.
pub const PAUSE: &str = "tributary.dev/pause-reconciliation";

/// Whether somebody told us to leave the resource alone.
fn is_paused(resource: &CdcReplication) -> bool {
    resource.annotations().get(PAUSE).is_some_and(|value| value == "true")
}

/// What is being tried: another generation, a deletion and a pause do not wait for the failures of what was before.
fn attempt(object: &Guarded) -> i64 {
    let meta = object.meta();
    let deleting = i64::from(meta.deletion_timestamp.is_some());
    let paused = i64::from(object.annotations().contains_key(PAUSE));
    meta.generation.unwrap_or_default() * 4 + deleting * 2 + paused
}

/// One pass.
pub async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, PassError> {
    let key = key(&*object);
    if let Some(wait) = context.waits(&key, attempt(&object)) {
        return Ok(Action::requeue(wait));
    }
    let resource = match &object.0 {
        Ok(resource) => resource,
        Err(invalid) => return unreadable(&object, &invalid.error, &context).await,
    };
    let memory = context.memory(&key, resource.meta().uid.as_deref().unwrap_or_default());
    let mut memory = memory.lock().await;
    let pass = Pass { resource, context: &context };
    let start = Instant::now();
    let result = tokio::time::timeout(context.limit, pass.run(&mut memory)).await;
    context.metrics.reconciled(start.elapsed());
    let error = match result {
        Ok(Ok(action)) => {
            context.succeeded(&key);
            return Ok(action);
        }
        Ok(Err(error)) => error,
        Err(_) => PassError::Timeout(context.limit),
    };
    match tokio::time::timeout(REPORT_LIMIT, pass.report_failure(&mut memory, &error)).await {
        Ok(Ok(())) => {}
        Ok(Err(second)) => {
            tracing::warn!(object = key, error = %crate::log::described(&second), "cannot report a failure");
        }
        Err(_) => tracing::warn!(object = key, "reporting a failure took too long"),
    }
    Err(error)
}

/// An object that was stored under another CRD. It must not keep the others from being looked after; if it is being
/// deleted, nobody can say what to clean up, and it is let go.
async fn unreadable(object: &Guarded, why: &str, context: &Context) -> Result<Action, PassError> {
    context.metrics.object(&key(object), Some(ObjectState::Failed));
    let error = PassError::Unreadable(why.to_owned());
    context.publish_failure(object, &error).await;
    let finalized = object.finalizers().iter().any(|finalizer| finalizer == crate::finalizer::FINALIZER);
    if object.meta().deletion_timestamp.is_some() && finalized {
        context.release(object.meta()).await?;
    }
    Err(error)
}

/// When a failed pass is tried again.
#[allow(clippy::needless_pass_by_value)] // The signature is kube's.
pub fn error_policy(object: Arc<Guarded>, error: &PassError, context: Arc<Context>) -> Action {
    context.metrics.failed(error.reason());
    let wait = context.failed(&key(&*object), attempt(&object), error, Timestamp::now());
    tracing::warn!(
        object = key(&*object),
        reason = error.reason(),
        error = %crate::log::described(error),
        again_in = ?wait,
        "the pass failed"
    );
    Action::requeue(wait)
}
