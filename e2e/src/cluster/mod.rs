//! A Kubernetes with Strimzi and the operator, and the services beside it, as the end-to-end suite and the demo use it.
//!
//! Which cluster it is, `KUBECONFIG` decides; where its services are, the cluster itself says ([`Services`]).

mod conditions;
mod diagnosis;
mod document;
mod images;
mod lab;
mod local;
mod objects;
mod operator;
mod services;

use anyhow::Context;
use kube::{Client, Config};

pub use conditions::{PATIENCE, until, until_gone};
pub use document::{Document, Transport};
pub use lab::{Lab, in_lab};
pub use local::LocalCluster;
pub use objects::Objects;
pub use operator::Operator;
pub use services::Services;

/// The namespace of the operator, and of what the suite knows about the cluster.
pub const SYSTEM_NAMESPACE: &str = "tributary-system";

/// A cluster that is up, with the operator installed.
#[derive(Clone)]
pub struct Cluster {
    /// The API server, with the rights of an administrator.
    pub client: Client,
    /// Postgres, S3 and the registry.
    pub services: Services,
}

impl Cluster {
    /// The cluster that `KUBECONFIG` names.
    pub async fn connect() -> anyhow::Result<Self> {
        anyhow::ensure!(
            std::env::var_os("KUBECONFIG").is_some(),
            "KUBECONFIG names no cluster: `make test` starts one; `cluster run` and kind/up start one to keep, and print what to export"
        );
        let config = Config::infer().await.context("KUBECONFIG cannot be used")?;
        let client = Client::try_from(config).context("KUBECONFIG cannot be used")?;
        let services = Services::read(&client).await?;
        Ok(Self { client, services })
    }
}
