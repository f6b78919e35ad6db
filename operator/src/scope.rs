//! The controller of one scope, one namespace or all of them: its watches, its passes, and what is said of them.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::controller::{self, Controller, Error as LoopError};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;
use tributary_crds::DeletionPolicy;

use crate::controller::{Context, error_policy, reconcile};
use crate::error::PassError;
use crate::finalizer::kept;
use crate::log::described;
use crate::metrics::Metrics;
use crate::plan::Defaults;
use crate::report::Notice;
use crate::watch::{Guarded, Stores, key};

/// Passes at the same time. Most of a pass is waiting, for the API server or for a database.
const CONCURRENCY: u16 = 16;
/// Events that come together, such as those of new children, make one pass.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// One namespace, or all of them.
pub struct Scope {
    /// The API server.
    pub client: Client,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// What resources get that do not say.
    pub defaults: Defaults,
    /// Where passes are counted.
    pub metrics: Arc<Metrics>,
    /// Where events go.
    pub recorder: Recorder,
}

impl Scope {
    /// Looks after the resources until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let (stores, triggers) = Stores::watch(&self.client, self.namespace.as_deref());
        // Watched apart from the passes: those wait until the children are known, or they would take them for missing.
        let (trigger, triggered) = futures::channel::mpsc::unbounded();
        let watching = tokio::spawn(triggers.map(Ok).forward(trigger));
        tokio::select! {
            () = stores.filled() => tracing::info!(namespace = self.namespace, "all objects are known"),
            () = stop.cancelled() => return,
        }
        let (metrics, recorder) = (self.metrics.clone(), self.recorder.clone());
        let context = Arc::new(Context::new(self.client.clone(), stores, self.defaults.clone(), metrics, recorder));
        let (resources, store) = self.resources(context.clone());
        let config = controller::Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE);
        Controller::for_stream(resources, store)
            .with_config(config)
            .reconcile_on(triggered)
            .graceful_shutdown_on(async move { stop.cancelled().await })
            .run(reconcile, error_policy, context.clone())
            .for_each(|result| {
                said(result, &context);
                std::future::ready(())
            })
            .await;
        watching.abort();
    }

    /// The resources as they come and change. One that is gone is forgotten, and what it leaves is said.
    fn resources(
        &self,
        context: Arc<Context>,
    ) -> (impl Stream<Item = Result<Guarded, watcher::Error>> + Send + 'static, Store<Guarded>) {
        let api: Api<Guarded> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let (reader, writer) = reflector::store();
        let events = reflector::reflector(writer, watcher(api, watcher::Config::default()).default_backoff());
        let events = events.then(move |event| {
            let context = context.clone();
            async move {
                if let Ok(watcher::Event::Delete(object)) = &event {
                    gone(object, &context).await;
                }
                event
            }
        });
        (events.applied_objects(), reader)
    }
}

/// Without a finalizer nobody asks us before a resource goes. What stays is said when it is gone, about an object that
/// does not exist any more: `kubectl get events` shows it for an hour.
async fn gone(object: &Guarded, context: &Context) {
    context.forget(&key(object));
    let Ok(resource) = &object.0 else { return };
    if resource.spec.deletion_policy == DeletionPolicy::Retain {
        let note = kept(resource);
        tracing::info!(namespace = resource.namespace(), instance = resource.name_any(), note);
        context.publish(resource, &Notice::normal("Retained", &note)).await;
    }
}

/// What the loop says about a pass; failures were said by the error policy.
fn said(
    result: Result<(ObjectRef<Guarded>, controller::Action), LoopError<PassError, watcher::Error>>,
    context: &Context,
) {
    match result {
        Ok((object, _)) => tracing::debug!(%object, "looked after"),
        Err(LoopError::ReconcilerFailed(..)) => {}
        // Deleted between the trigger and the pass; or an object is left of a resource that is long gone.
        Err(LoopError::ObjectNotFound(object)) => {
            context.forget(&format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name));
        }
        Err(error) => tracing::warn!(error = %described(&error), "watch failed, trying again"),
    }
}
