//! Writes what is desired and is not there yet, deletes what is no longer desired, and leaves everything else alone.

mod covers;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, TypeMeta};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::build::{Children, Kind, MANAGER, Object};

/// Annotation with the hash of what we last wrote: a field that is no longer desired must be written away.
pub const HASH: &str = "tributary.dev/hash";
const INSTANCE: &str = "app.kubernetes.io/instance";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// An object could not be brought to what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else made an object of this name; it is left alone.
    #[error("{kind} {name} exists and does not belong to this resource: delete or rename it, or rename this resource")]
    Foreign {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The API server refused, or could not be asked.
    #[error("cannot {verb} {kind} {name}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
}

/// An object as it is in the cluster.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// All of it, without managed fields.
    pub object: Value,
}

impl Live {
    /// A live object of a kind.
    pub fn new(kind: &'static Kind, object: &DynamicObject) -> Self {
        let mut object = object.clone();
        object.metadata.managed_fields = None;
        // Lists leave it out of their elements.
        object.types = Some(TypeMeta { api_version: resource(kind).api_version, kind: kind.kind.to_owned() });
        let name = object.name_any();
        Self { kind, name, object: serde_json::to_value(&object).unwrap_or_default() }
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.object.pointer(pointer).and_then(Value::as_str)
    }

    fn is(&self, kind: &Kind, name: &str) -> bool {
        self.kind.kind == kind.kind && self.kind.group == kind.group && self.name == name
    }

    /// Whether the object is controlled by the resource with this uid.
    fn is_controlled_by(&self, uid: &str) -> bool {
        let owners = self.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| owner["uid"] == uid && owner["controller"] == true)
    }
}

/// Children as they are in the cluster: those that were applied, and what belongs to the resource besides. Only from
/// these a status is made.
#[derive(Clone, Debug)]
pub struct Applied(Vec<Live>);

impl Children<Applied> {
    /// The objects as last seen, when nothing could be applied.
    pub fn seen(live: Vec<Live>) -> Self {
        Self(Applied(live))
    }

    /// All of them.
    pub fn live(&self) -> &[Live] {
        &self.0.0
    }
}

/// Writes that left the object as it was, because the difference is only one of spelling. Remembered, so that none is tried
/// again.
#[derive(Debug, Default)]
pub struct FutileWrites(HashMap<(&'static str, String), (u64, u64)>);

/// Where objects are written, for whom, and what is known to be there.
pub struct Target<'a> {
    /// The API server.
    pub client: &'a Client,
    /// The namespace of the resource and all that it has.
    pub namespace: &'a str,
    /// The resource's name.
    pub instance: &'a str,
    /// The resource's uid.
    pub uid: &'a str,
    /// The objects with the resource's labels, as last seen.
    pub live: &'a [Live],
}

/// The API of a kind in a namespace.
pub fn api(client: &Client, namespace: &str, kind: &Kind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

/// The kind as kube names it.
pub fn resource(kind: &Kind) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.group, kind.version, kind.kind), kind.plural)
}

impl Target<'_> {
    /// Brings every object to what is desired, in the given order, then deletes orphans. What is `held_back` is neither
    /// written nor an orphan: it stays as it is, there or not.
    pub async fn apply(
        &self,
        objects: &[Object],
        held_back: &[Object],
        futile: &mut FutileWrites,
    ) -> Result<Children<Applied>, ApplyError> {
        let mut applied = Vec::with_capacity(objects.len());
        for object in objects {
            applied.push(self.object(object, futile).await?);
        }
        let desired: HashSet<(&str, &str)> =
            objects.iter().map(|object| (object.kind.kind, object.name.as_str())).collect();
        let is_held_back = |live: &Live| held_back.iter().any(|object| live.is(object.kind, &object.name));
        for orphan in self.live.iter().filter(|live| self.is_orphan(live, &desired) && !is_held_back(live)) {
            self.delete(orphan).await?;
        }
        let besides = self.live.iter().filter(|live| !desired.contains(&(live.kind.kind, live.name.as_str())));
        applied.extend(besides.cloned());
        Ok(Children::seen(applied))
    }

    async fn object(&self, object: &Object, futile: &mut FutileWrites) -> Result<Live, ApplyError> {
        let desired = hashed(&object.manifest);
        let live = self.live.iter().find(|live| live.is(object.kind, &object.name));
        match live {
            Some(live) if is_current(live, &desired) || futile.holds(live, &desired) => return Ok(live.clone()),
            Some(_) => {}
            None => self.refuse_foreign(object).await?,
        }
        let written = self.write(object, &desired).await?;
        futile.note(live, &written, &desired);
        Ok(written)
    }

    /// An object that is not among ours may exist all the same, and be somebody else's.
    async fn refuse_foreign(&self, object: &Object) -> Result<(), ApplyError> {
        let found = api(self.client, self.namespace, object.kind).get_metadata_opt(&object.name).await;
        let found = found.map_err(|source| failed("get", object.kind, &object.name, source))?;
        let Some(found) = found else { return Ok(()) };
        let label = |key: &str| found.labels().get(key).map(String::as_str);
        if label(INSTANCE) == Some(self.instance) && label(MANAGED_BY) == Some(MANAGER) {
            return Ok(());
        }
        Err(ApplyError::Foreign { kind: object.kind.kind, name: object.name.clone() })
    }

    async fn write(&self, object: &Object, desired: &Value) -> Result<Live, ApplyError> {
        // A misspelled field must fail: otherwise it would be dropped in silence.
        let params = PatchParams::apply(MANAGER).force().validation_strict();
        let answer =
            api(self.client, self.namespace, object.kind).patch(&object.name, &params, &Patch::Apply(desired)).await;
        let written = answer.map_err(|source| failed("write", object.kind, &object.name, source))?;
        tracing::info!(
            namespace = self.namespace,
            instance = self.instance,
            kind = object.kind.kind,
            name = object.name,
            "applied"
        );
        Ok(Live::new(object.kind, &written))
    }

    /// Ours, controlled by this very resource, no longer desired, and not of a kind that is kept.
    fn is_orphan(&self, live: &Live, desired: &HashSet<(&str, &str)>) -> bool {
        !live.kind.keep
            && !desired.contains(&(live.kind.kind, live.name.as_str()))
            && live.is_controlled_by(self.uid)
            && live.text("/metadata/deletionTimestamp").is_none()
    }

    /// An object as it is now, not as it was last seen, and after a change if there is one; `None` if it is gone.
    pub async fn ask(
        &self,
        verb: &'static str,
        live: &Live,
        change: Option<Value>,
    ) -> Result<Option<Value>, ApplyError> {
        let api = api(self.client, self.namespace, live.kind);
        let answer = match change {
            Some(change) => api.patch(&live.name, &PatchParams::default(), &Patch::Merge(change)).await,
            None => api.get(&live.name).await,
        };
        match answer {
            Ok(object) => Ok(Some(Live::new(live.kind, &object).object)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(source) => Err(failed(verb, live.kind, &live.name, source)),
        }
    }

    /// Deletes exactly this object; that it is gone already, or is another one by now, is no error.
    pub async fn delete(&self, live: &Live) -> Result<(), ApplyError> {
        let uid = live.text("/metadata/uid").map(str::to_owned);
        let params = DeleteParams::background().preconditions(Preconditions { uid, resource_version: None });
        match api(self.client, self.namespace, live.kind).delete(&live.name, &params).await {
            Ok(_) => {
                let (namespace, kind, name) = (self.namespace, live.kind.kind, &live.name);
                tracing::info!(namespace, instance = self.instance, kind, name, "deleted");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(source) => Err(failed("delete", live.kind, &live.name, source)),
        }
    }
}

fn failed(verb: &'static str, kind: &'static Kind, name: &str, source: kube::Error) -> ApplyError {
    ApplyError::Api { verb, kind: kind.kind, name: name.to_owned(), source }
}

impl FutileWrites {
    /// Whether this very difference was written before, and changed nothing.
    fn holds(&self, live: &Live, desired: &Value) -> bool {
        self.0.get(&(live.kind.kind, live.name.clone())) == Some(&(hash(desired), state_hash(live)))
    }

    fn note(&mut self, before: Option<&Live>, after: &Live, desired: &Value) {
        let key = (after.kind.kind, after.name.clone());
        let version = "/metadata/resourceVersion";
        if before.is_some_and(|before| before.text(version) == after.text(version)) {
            self.0.insert(key, (hash(desired), state_hash(after)));
        } else {
            self.0.remove(&key);
        }
    }
}

/// Whether the live object is what we last wrote, and still says all of it.
fn is_current(live: &Live, desired: &Value) -> bool {
    covers::covers(&live.object, desired)
}

/// The manifest with the annotation of its own hash.
fn hashed(manifest: &Value) -> Value {
    let mut desired = manifest.clone();
    let hash = format!("{:016x}", hash(manifest));
    if let Some(metadata) = desired.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(HASH.to_owned(), Value::String(hash));
        }
    }
    desired
}

/// The same for the same value: maps are sorted.
fn hash(value: &Value) -> u64 {
    xxh3_64(value.to_string().as_bytes())
}

/// A hash of the object without what changes by itself.
fn state_hash(live: &Live) -> u64 {
    let mut object = live.object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    hash(&object)
}
