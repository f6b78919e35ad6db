//! Objects of any kind in one namespace, by name, as JSON.

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::Value;

/// One kind in one namespace.
#[derive(Clone)]
pub struct Objects {
    api: Api<DynamicObject>,
}

impl Objects {
    /// Objects of this kind; `api_version` is `group/version`, or `v1`.
    pub fn new(client: &Client, namespace: &str, api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Self { api: Api::namespaced_with(client.clone(), namespace, &resource) }
    }

    /// A kind of Strimzi's.
    pub fn strimzi(client: &Client, namespace: &str, kind: &str) -> Self {
        Self::new(client, namespace, "kafka.strimzi.io/v1", kind)
    }

    /// To wait on.
    pub fn api(&self) -> &Api<DynamicObject> {
        &self.api
    }

    /// The object, metadata included.
    pub async fn get(&self, name: &str) -> kube::Result<Option<Value>> {
        Ok(self.api.get_opt(name).await?.and_then(|object| serde_json::to_value(object).ok()))
    }

    /// All their names.
    pub async fn names(&self) -> kube::Result<Vec<String>> {
        Ok(self.api.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// The names of those that the operator made.
    pub async fn ours(&self) -> kube::Result<Vec<String>> {
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=tributary-operator");
        Ok(self.api.list(&ours).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// Changes a part of the object, as `kubectl patch --type merge` does.
    pub async fn merge(&self, name: &str, patch: &Value) -> kube::Result<()> {
        self.api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }

    /// Deletes the object; it may linger until its finalizers are done.
    pub async fn delete(&self, name: &str) -> kube::Result<()> {
        self.api.delete(name, &DeleteParams::default()).await.map(drop)
    }
}
