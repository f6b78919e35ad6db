//! A stand-in for Strimzi's operators, for a Kubernetes that Strimzi's images cannot be had for: it watches Strimzi's
//! resources and runs the real Kafka and the real Kafka Connect of the stack accordingly, as processes on the host. It
//! refuses what Strimzi refuses and writes the statuses that Strimzi 1.2.0 was seen to write.
//!
//! What is played differently: all nodes of a Kafka and the one worker of a Connect listen on one address, whatever the
//! version, image, resources and pod templates of a resource say; the data of a Kafka outlives a restart even where its
//! storage is ephemeral, and goes when the Kafka resource goes; topics that are left in a namespace that is being deleted
//! are let go.

mod admin;
mod authority;
mod auto_restart;
mod brokers;
mod configuration;
mod connect_operator;
mod connector_operator;
mod connectors;
mod context;
mod dispatch;
mod kafka;
mod kafka_operator;
mod kind;
mod kubernetes;
mod listeners;
mod names;
mod options;
mod player;
mod ports;
mod refusal;
mod resource;
mod rest;
mod security;
mod server;
mod services;
mod status;
mod topic_operator;
mod topics;
mod user_operator;
mod watches;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustix::process::Signal;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

pub use options::StrimziOptions;

use crate::stack::{Part, PostgresRelease, ProcessId, maven_set, software};
use context::Context;
use kubernetes::Kubernetes;
use watches::Resources;

/// A stand-in that runs. It ends, with all that it started, when this is dropped; data stays in its folder.
pub struct Strimzi {
    tasks: JoinSet<()>,
}

impl Strimzi {
    /// Starts to play, and returns when all that the cluster has is known. Downloads and installs what is missing first,
    /// and waits for the definitions of Strimzi's kinds.
    pub async fn start(options: StrimziOptions) -> anyhow::Result<Self> {
        options.check()?;
        let context = |what: &str| format!("{what} {}", options.directory.display());
        std::fs::create_dir_all(&options.directory).with_context(|| context("cannot create"))?;
        let directory = options.directory.canonicalize().with_context(|| context("cannot enter"))?;
        let options = StrimziOptions { directory, ..options };
        let software = software([Part::Kafka, Part::Connect].into(), PostgresRelease::Installed).await?;
        let secrets_plugin = tokio::task::spawn_blocking(secrets_plugin).await??;
        let kubernetes = connect(&options.kubeconfig).await?;
        let mut tasks = JoinSet::new();
        let hosts = options.directory.join("hosts");
        names::begin(&hosts)?;
        tasks.spawn(names::keep(kubernetes.client(), hosts.clone()));
        let (sender, changes) = unbounded_channel();
        let resources = Resources::watch(&kubernetes.client(), &sender, &mut tasks).await?;
        let context = Context { kubernetes, resources, options, software, secrets_plugin, hosts };
        tasks.spawn(dispatch::run(Arc::new(context), changes));
        Ok(Self { tasks })
    }

    /// Returns when a part of it has ended, which none should.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("the stand-in for Strimzi broke down"),
            _ => anyhow::anyhow!("a part of the stand-in for Strimzi ended by itself"),
        }
    }

    /// Ends it and all that it started, and returns when that is done.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Kills the nodes of a Kafka, as `kill -9` does; the stand-in with this directory starts them again, with their data.
/// Returns how many there were.
pub fn kill_kafka(directory: &Path, namespace: &str, name: &str) -> usize {
    let folder = context::folder(directory, context::KAFKA, &(namespace.to_owned(), name.to_owned()));
    kill(&processes(&folder))
}

/// Kills the worker of a Connect, like [`kill_kafka`].
pub fn kill_connect(directory: &Path, namespace: &str, name: &str) -> usize {
    let folder = context::folder(directory, context::CONNECT, &(namespace.to_owned(), name.to_owned()));
    kill(server::process_in(&folder).as_slice())
}

fn processes(kafka: &Path) -> Vec<ProcessId> {
    let nodes = std::fs::read_dir(kafka).into_iter().flatten().filter_map(Result::ok);
    nodes.filter_map(|node| server::process_in(&node.path())).collect()
}

fn kill(processes: &[ProcessId]) -> usize {
    for process in processes {
        process.signal(Signal::KILL);
    }
    processes.len()
}

async fn connect(kubeconfig: &Path) -> anyhow::Result<Kubernetes> {
    let unreadable = || format!("cannot use the kubeconfig {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(unreadable)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Kubernetes::connect(config.with_context(unreadable)?)
}

fn secrets_plugin() -> anyhow::Result<PathBuf> {
    let title = "Strimzi's config provider for Secrets (about 10 MB)";
    Ok(maven_set("secrets-provider", title, include_str!("secrets.pom.xml"))?.join("plugins"))
}
