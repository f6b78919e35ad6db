//! A whole cluster on this machine, without Docker: the one-node Kubernetes, Strimzi played by its stand-in, the services
//! beside it, and the operator as Helm installs it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::process::Signal;
use tempfile::TempDir;

use super::document::BUCKET;
use super::images::Images;
use super::operator::{RELEASE, chart, helm};
use super::{Cluster, SYSTEM_NAMESPACE, Services};
use crate::node::{Node, NodeOptions};
use crate::stack::{Addresses, Lifetime, Part, Process, Program, Stack, StackOptions, log_end};

/// A cluster that ends with its owner. Its parts are dropped in this order: those that use another one first.
pub struct LocalCluster {
    strimzi: Process,
    stack: Stack,
    node: Node,
    folder: TempDir,
}

impl LocalCluster {
    /// Brings up everything but the operator. What is missing is installed, downloaded and built first.
    pub async fn up() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tributary-cluster-").tempdir()?;
        let node = Node::up(NodeOptions::default()).await?;
        let options = StackOptions { bind: node.host_address().into(), ..StackOptions::only(SERVICES) };
        let (stack, definitions) = tokio::join!(Stack::up(options), node.install_strimzi_crds());
        let stack = stack?;
        definitions?;
        stack.create_bucket(BUCKET).await?;
        let strimzi = start_strimzi(&node, folder.path())?;
        Ok(Self { strimzi, stack, node, folder })
    }

    /// Builds the operator's and the replicator's images from the binaries beside this program, and loads them.
    pub async fn load_images(&self) -> anyhow::Result<()> {
        Images::beside_this_program()?.load(&self.node).await
    }

    /// Installs the operator with Helm, and waits until it is ready; `values` are `key=value`.
    pub async fn install_operator(&self, values: &[&str]) -> anyhow::Result<()> {
        let mut arguments = vec!["install", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--create-namespace", "--wait"];
        // The stand-in for Strimzi runs Connect without an image; the operator wants to know one all the same.
        for value in ["connect.image=played"].iter().chain(values) {
            arguments.extend(["--set", value]);
        }
        helm(&arguments, &[chart().to_string_lossy().as_ref()], &self.environment()).await
    }

    /// The cluster as the suite sees it. The operator's namespace must exist.
    pub async fn describe(&self) -> anyhow::Result<Cluster> {
        let options = kube::config::KubeConfigOptions::default();
        let file = kube::config::Kubeconfig::read_from(self.node.kubeconfig())?;
        let client = kube::Client::try_from(kube::Config::from_custom_kubeconfig(file, &options).await?)?;
        let services = services(self.stack.addresses());
        services.write(&client).await?;
        Ok(Cluster { client, services })
    }

    /// What a program needs in its environment to use the cluster.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut path = vec![self.node.programs().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(path).unwrap_or_default();
        vec![("KUBECONFIG", self.node.kubeconfig().into()), ("PATH", path)]
    }

    /// Where the services are.
    pub fn addresses(&self) -> &Addresses {
        self.stack.addresses()
    }

    /// What has ended although nobody asked for it, with the end of its log.
    pub fn ended(&mut self) -> Option<String> {
        let strimzi = self.strimzi.ended().map(|status| {
            format!("the stand-in of Strimzi ended with {status}; {}", log_end(&strimzi_log(self.folder.path())))
        });
        strimzi.or_else(|| self.stack.ended())
    }
}

/// Kafka and Connect are Strimzi's business.
const SERVICES: [Part; 3] = [Part::Postgres, Part::Registry, Part::S3];

fn services(addresses: &Addresses) -> Services {
    let postgres = format!("{}:{}", addresses.bind, addresses.postgres);
    Services {
        postgres_host: addresses.bind.to_string(),
        postgres_port: addresses.postgres.to_string(),
        postgres_from_here: postgres,
        s3_endpoint: addresses.s3_endpoint(),
        s3_endpoint_from_here: addresses.s3_endpoint(),
        registry_url: addresses.registry_url(),
    }
}

fn strimzi_log(folder: &Path) -> PathBuf {
    folder.join("strimzi.log")
}

fn start_strimzi(node: &Node, folder: &Path) -> anyhow::Result<Process> {
    let mut arguments: Vec<OsString> = vec!["run".into(), "--kubeconfig".into(), node.kubeconfig().into()];
    arguments.extend(["--bind".into(), node.host_address().to_string().into()]);
    arguments.extend(["--dir".into(), folder.join("strimzi").into()]);
    let program = Program {
        path: super::images::program("strimzi")?,
        arguments,
        environment: vec![],
        directory: folder.to_owned(),
        user: None,
        log: strimzi_log(folder),
        kill_signal: Signal::KILL,
    };
    Process::start(&program, Lifetime::WithParent).context("cannot start the stand-in of Strimzi")
}
