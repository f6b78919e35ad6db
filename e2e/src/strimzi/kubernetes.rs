//! What the stand-in asks of the API server and writes there, beside its watches.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::kind::Kind;
use super::resource::{Resource, View};
use super::status;

/// Strimzi's operators write under the name of their HTTP client; this one says who it stands in for.
const MANAGER: &str = "strimzi-cluster-operator";

/// A client of the API server.
#[derive(Clone)]
pub(super) struct Kubernetes {
    client: Client,
    config: Config,
}

impl Kubernetes {
    pub(super) fn connect(config: Config) -> anyhow::Result<Self> {
        Ok(Self { client: Client::try_from(config.clone())?, config })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    fn api(&self, kind: Kind, resource: &Resource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &resource.key().0, &kind.api_resource())
    }

    /// Writes a status if it says something else than the one that is there. A resource that is gone is no error.
    pub(super) async fn write_status(&self, kind: Kind, resource: &Resource, status: Value) -> anyhow::Result<()> {
        if status::is_same(resource.at("/status"), &status) {
            return Ok(());
        }
        let (namespace, name) = resource.key();
        let document = json!({
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": kind.name(),
            "metadata": {"name": name},
            "status": status::timed(status, Timestamp::now()),
        });
        let written = self.api(kind, resource).patch_status(&name, &forced(), &Patch::Apply(document)).await;
        unless_gone(written.map(drop))
            .with_context(|| format!("cannot write the status of {} {namespace}/{name}", kind.name()))
    }

    /// Changes metadata by a merge patch.
    pub(super) async fn patch_metadata(&self, kind: Kind, resource: &Resource, patch: Value) -> anyhow::Result<()> {
        let (namespace, name) = resource.key();
        let patch = Patch::Merge(json!({"metadata": patch}));
        let written = self.api(kind, resource).patch_metadata(&name, &PatchParams::default(), &patch).await;
        unless_gone(written.map(drop))
            .with_context(|| format!("cannot change the metadata of {} {namespace}/{name}", kind.name()))
    }

    /// Removes an annotation that was a request, now that it is fulfilled.
    pub(super) async fn fulfil(&self, kind: Kind, resource: &Resource, annotation: &str) -> anyhow::Result<()> {
        self.patch_metadata(kind, resource, json!({"annotations": {annotation: null}})).await
    }

    /// Creates an object or makes it as described.
    pub(super) async fn apply(&self, object: Value) -> anyhow::Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", text("/apiVersion")));
        let kind = GroupVersionKind::gvk(group, version, text("/kind"));
        let (namespace, name) = (text("/metadata/namespace").to_owned(), text("/metadata/name").to_owned());
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let applied = api.patch(&name, &forced(), &Patch::Apply(&object)).await;
        applied.map(drop).with_context(|| format!("cannot create the {} {namespace}/{name}", kind.kind))
    }

    /// The data of a Secret; `None` when there is none of that name.
    pub(super) async fn secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Option<BTreeMap<String, Vec<u8>>>> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = api.get_opt(name).await.with_context(|| format!("cannot read the Secret {namespace}/{name}"))?;
        let data = secret.map(|secret| secret.data.unwrap_or_default());
        Ok(data.map(|data| data.into_iter().map(|(key, bytes)| (key, bytes.0)).collect()))
    }

    /// Whether the namespace is being deleted, or is gone.
    pub(super) async fn is_ending(&self, namespace: &str) -> anyhow::Result<bool> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api.get_opt(namespace).await.with_context(|| format!("cannot read the namespace {namespace}"))?;
        Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
    }

    /// A kubeconfig with which a program is this service account: a pod would find the same in its file system.
    pub(super) async fn kubeconfig_of(&self, namespace: &str, account: &str) -> anyhow::Result<String> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = api.create_token_request(account, &PostParams::default(), &request).await;
        let answer = answer.with_context(|| format!("cannot get a token of ServiceAccount {namespace}/{account}"))?;
        let token = answer.status.context("the API server answered a request for a token without one")?.token;
        let mut cluster = json!({"server": self.config.cluster_url.to_string()});
        if let Some(authority) = self.config.root_cert.as_deref() {
            cluster["certificate-authority-data"] = STANDARD.encode(pem(authority)).into();
        }
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "node", "cluster": cluster}],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [{"name": "node", "context": {"cluster": "node", "user": account, "namespace": namespace}}],
            "current-context": "node",
        });
        Ok(kubeconfig.to_string())
    }
}

/// A worker is started anew long before.
const TOKEN_SECONDS: i64 = 30 * 24 * 3600;

fn forced() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

fn unless_gone(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

fn pem(certificates: &[Vec<u8>]) -> String {
    let block = |der: &Vec<u8>| {
        let body = STANDARD.encode(der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(block).collect()
}
