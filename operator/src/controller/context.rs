//! What all passes share, and what is remembered of each resource between two of them. All of it may be lost.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource};
use serde_json::json;
use tributary_crds::CdcReplication;

use crate::apply::FutileWrites;
use crate::backoff::Backoff;
use crate::build::MANAGER;
use crate::error::PassError;
use crate::finalizer::{FINALIZER, Progress};
use crate::metrics::Metrics;
use crate::observe::{SecretsSeen, SourceSeen};
use crate::plan::Defaults;
use crate::report::Notice;
use crate::stream::Renewal;
use crate::watch::{Guarded, Stores};

/// The client has no read timeout, and retries for minutes: the limit of one pass.
const LIMIT: Duration = Duration::from_mins(1);

/// What is remembered of one resource.
#[derive(Debug, Default)]
pub struct Memory {
    uid: String,
    /// What was said last. The watch may be behind our own writes.
    pub(super) said: Option<Vec<Condition>>,
    /// Tables that its children were made for at some time.
    pub(super) tables: BTreeSet<String>,
    pub(super) secrets: SecretsSeen,
    pub(super) source: SourceSeen,
    pub(super) renewal: Option<Renewal>,
    pub(super) futile: FutileWrites,
    pub(super) clean_up: Option<Progress>,
}

/// What all passes share.
pub struct Context {
    pub(super) client: Client,
    pub(super) stores: Stores,
    pub(super) defaults: Defaults,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limit: Duration,
    recorder: Recorder,
    memories: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Memory>>>>,
    backoff: Mutex<Backoff<String>>,
}

impl Context {
    /// A context that remembers nothing yet.
    pub fn new(client: Client, stores: Stores, defaults: Defaults, metrics: Arc<Metrics>, recorder: Recorder) -> Self {
        let (memories, backoff) = (Mutex::default(), Mutex::default());
        Self { client, stores, defaults, metrics, limit: LIMIT, recorder, memories, backoff }
    }

    /// What is remembered of a resource; another one of the same name starts afresh.
    pub(super) fn memory(&self, key: &str, uid: &str) -> Arc<tokio::sync::Mutex<Memory>> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(tokio::sync::Mutex::new(Memory { uid: uid.to_owned(), ..Memory::default() }));
        let memory = memories.entry(key.to_owned()).or_insert_with(fresh);
        // A pass that is still running has the lock; it is about the older one.
        if memory.try_lock().is_ok_and(|memory| memory.uid != uid) {
            *memory = fresh();
        }
        memory.clone()
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &str) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.succeeded(key);
        self.metrics.object(key, None);
    }

    pub(super) fn waits(&self, key: &str, attempt: i64) -> Option<Duration> {
        let backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.waits(&key.to_owned(), attempt, Timestamp::now())
    }

    pub(super) fn succeeded(&self, key: &str) {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner).succeeded(&key.to_owned());
    }

    pub(super) fn failed(&self, key: &str, attempt: i64, error: &PassError, now: Timestamp) -> Duration {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.failed(key.to_owned(), error.reason(), attempt, error.retry(), now)
    }

    /// Publishes an event. That it fails changes nothing: the condition says the same.
    pub async fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, notice: &Notice) {
        let event = Event {
            type_: if notice.warning { EventType::Warning } else { EventType::Normal },
            reason: notice.reason.clone(),
            note: Some(notice.note.clone()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(reason = notice.reason, error = %crate::log::described(&error), "cannot publish an event");
        }
    }

    pub(super) async fn publish_failure(&self, object: &Guarded, error: &PassError) {
        let part = error.part();
        self.publish(object, &Notice::warning(part.reason, &part.message)).await;
    }

    /// Adds our finalizer, or removes it, and touches no other. Between our look and our write somebody may have changed
    /// the list: then the version differs, and the pass is done again.
    pub(super) async fn finalize(&self, meta: &ObjectMeta, wanted: bool) -> Result<(), PassError> {
        let mut finalizers = meta.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        if wanted {
            finalizers.push(FINALIZER.to_owned());
        }
        let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": meta.resource_version}});
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        let api = Api::<CdcReplication>::namespaced(self.client.clone(), namespace);
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(name, &params, &Patch::Merge(patch)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() && !wanted => Ok(()),
            Err(error) => Err(PassError::Finalizer(error)),
        }
    }

    /// Lets a resource go.
    pub(super) async fn release(&self, meta: &ObjectMeta) -> Result<(), PassError> {
        self.finalize(meta, false).await
    }
}
