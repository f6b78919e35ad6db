//! The processes of a node.

use serde::{Deserialize, Serialize};

/// One program of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NodePart {
    /// The cluster's store.
    Etcd,
    /// Runs containers.
    Containerd,
    /// The API server.
    Apiserver,
    /// The controllers of the built-in kinds.
    ControllerManager,
    /// Assigns pods to the node.
    Scheduler,
    /// Makes service addresses work.
    Proxy,
    /// Runs pods.
    Kubelet,
    /// `CoreDNS`.
    Dns,
}

impl NodePart {
    /// Every part.
    pub const ALL: [Self; 8] = [
        Self::Etcd,
        Self::Containerd,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Proxy,
        Self::Kubelet,
        Self::Dns,
    ];

    /// The part's name as written in the state file and as name of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::Apiserver => "apiserver",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Proxy => "proxy",
            Self::Kubelet => "kubelet",
            Self::Dns => "dns",
        }
    }
}

impl std::fmt::Display for NodePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
