//! The calls to the Kubernetes API: apply our entries, release those of shards that are gone.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{ObjectMeta, PartialObjectMeta, Patch, PatchParams};
use kube::{Api, Client, Config, Resource};
use serde::Serialize;
use tributary_crds::{CdcReplication, TableStatus};

use super::error::ReportError;
use crate::settings::Shard;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// A shard's field manager is this and its ordinal.
const MANAGER: &str = "tributary-replicator-";

/// Which resource's status is reported to: written `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceName {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The text names no resource.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no resource: write NAMESPACE/NAME, such as shop/orders")]
pub struct ResourceNameError(String);

impl FromStr for ResourceName {
    type Err = ResourceNameError;

    fn from_str(text: &str) -> Result<Self, ResourceNameError> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(ResourceNameError(text.to_owned())),
        }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The client of the cluster that this process runs in, or that `KUBECONFIG` names.
pub(super) async fn client() -> Result<Client, ReportError> {
    let mut config = Config::infer().await.map_err(|error| ReportError::NoCluster(Box::new(error)))?;
    // It is tried again here, and less often.
    config.default_retry = false;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| ReportError::Client(Box::new(error)))
}

/// Writes one shard's entries of `status.tables`.
pub(super) struct StatusApi {
    // Of the answers only the metadata is of interest.
    api: Api<PartialObjectMeta<CdcReplication>>,
    resource: ResourceName,
    shard: Shard,
}

/// What is applied: fields that are left out are not ours.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Applied<'a> {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    /// An empty list would be ours as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Tables<'a>>,
}

#[derive(Debug, Serialize)]
struct Tables<'a> {
    tables: &'a [TableStatus],
}

impl StatusApi {
    pub(super) fn new(client: Client, resource: &ResourceName, shard: Shard) -> Self {
        let api = Api::namespaced(client, &resource.namespace);
        Self { api, resource: resource.clone(), shard }
    }

    /// Makes `tables` all that this shard says; the annotations of the resource, as the answer has them.
    pub(super) async fn apply(&self, tables: &[TableStatus]) -> Result<BTreeMap<String, String>, ReportError> {
        let answer = self.apply_as(&format!("{MANAGER}{}", self.shard.ordinal()), tables).await?;
        Ok(answer.metadata.annotations.unwrap_or_default())
    }

    /// Takes back what shards said that there are no longer: there were more replicas once. Their tables belong to others
    /// now, who could not remove an entry that a shard which is gone also holds on to. `started`: when this process began;
    /// who wrote later than that is not gone.
    pub(super) async fn release_those_gone(&self, started: Timestamp) -> Result<(), ReportError> {
        let found = self.call(self.api.get(&self.resource.name)).await?;
        for manager in gone(&found, self.shard.replicas(), started) {
            self.apply_as(&manager, &[]).await?;
        }
        Ok(())
    }

    async fn apply_as(
        &self,
        manager: &str,
        tables: &[TableStatus],
    ) -> Result<PartialObjectMeta<CdcReplication>, ReportError> {
        let applied = Applied {
            api_version: CdcReplication::api_version(&()).into_owned(),
            kind: CdcReplication::kind(&()).into_owned(),
            metadata: ObjectMeta { name: Some(self.resource.name.clone()), ..ObjectMeta::default() },
            status: (!tables.is_empty()).then_some(Tables { tables }),
        };
        // The table may have been another shard's; it is ours now.
        let parameters = PatchParams::apply(manager).force();
        let patch = Patch::Apply(&applied);
        self.call(self.api.patch_status(&self.resource.name, &parameters, &patch)).await
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ReportError> {
        let answer = tokio::time::timeout(PATIENCE, call).await;
        let answer = answer.map_err(|_| ReportError::TooSlow(PATIENCE.as_secs()))?;
        answer.map_err(|error| ReportError::of(&self.resource, error))
    }
}

/// The field managers of shards that there are no longer. While the number of replicas grows, an old process meets the new
/// shards: they wrote after it started.
fn gone(found: &PartialObjectMeta<CdcReplication>, replicas: u32, started: Timestamp) -> Vec<String> {
    let managers = found.metadata.managed_fields.iter().flatten();
    let managers = managers.filter(|entry| entry.time.as_ref().is_none_or(|time| time.0 < started));
    let mut names: Vec<String> = managers.filter_map(|entry| entry.manager.clone()).collect();
    names.retain(|name| {
        let ordinal = name.strip_prefix(MANAGER).and_then(|ordinal| ordinal.parse::<u32>().ok());
        ordinal.is_some_and(|ordinal| ordinal >= replicas)
    });
    names.sort();
    names.dedup();
    names
}
