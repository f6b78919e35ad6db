//! Where Postgres, S3 and the registry are: as pods reach them, and as the tests do. The cluster keeps this in a `ConfigMap`,
//! so that one `KUBECONFIG` is all that the suite needs.

use std::collections::BTreeMap;

use anyhow::Context;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde::{Deserialize, Serialize};

use super::SYSTEM_NAMESPACE;

const NAME: &str = "tributary-e2e-services";

/// Addresses of the services beside the cluster. On the node both views are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Services {
    /// Postgres for pods: host.
    pub postgres_host: String,
    /// Postgres for pods: port.
    pub postgres_port: String,
    /// Postgres for the tests: `host:port`.
    pub postgres_from_here: String,
    /// S3 for pods: `http://host:port`.
    pub s3_endpoint: String,
    /// S3 for the tests.
    pub s3_endpoint_from_here: String,
    /// The registry's Confluent API for pods.
    pub registry_url: String,
}

impl Services {
    /// What the cluster says.
    pub async fn read(client: &Client) -> anyhow::Result<Self> {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
        let map = maps.get(NAME).await.with_context(|| {
            format!(
                "the ConfigMap {SYSTEM_NAMESPACE}/{NAME} cannot be read: is this a cluster of `cluster run` or kind/up?"
            )
        })?;
        serde_json::from_value(serde_json::to_value(map.data)?)
            .with_context(|| format!("the ConfigMap {NAME} is incomplete"))
    }

    /// Tells the cluster.
    pub async fn write(&self, client: &Client) -> anyhow::Result<()> {
        let data: BTreeMap<String, String> = serde_json::from_value(serde_json::to_value(self)?)?;
        let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
        maps.patch(NAME, &PatchParams::apply("tributary-e2e").force(), &Patch::Apply(&map)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_manifest_in_kind() {
        let keys = [
            "postgres-host",
            "postgres-port",
            "postgres-from-here",
            "s3-endpoint",
            "s3-endpoint-from-here",
            "registry-url",
        ];
        let data: BTreeMap<_, _> = keys.map(|key| (key, key)).into();
        let services: Services = serde_json::from_value(serde_json::to_value(&data).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(services).unwrap(), serde_json::to_value(data).unwrap());
    }
}
