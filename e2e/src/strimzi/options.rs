//! How the stand-in is run.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the stand-in needs to know.
#[derive(Clone, Debug)]
pub struct StrimziOptions {
    /// The file that says how to reach the cluster, as an administrator of it.
    pub kubeconfig: PathBuf,
    /// The address that Kafka and Connect listen on and advertise: one that pods reach, so neither 0.0.0.0 nor 127.0.0.1.
    pub bind: IpAddr,
    /// Where the data of the Kafkas, configuration and logs are kept. A stand-in that is started again goes on with what
    /// it finds.
    pub directory: PathBuf,
    /// How often everything is looked at without a reason: statuses of connectors are as old as this. Strimzi's is 2 min.
    pub refresh: Duration,
    /// The unit of the pauses between automatic restarts of a connector. Strimzi's is 1 min.
    pub auto_restart_minute: Duration,
    /// How long a Connect worker may take to answer before its resource is called not ready. Strimzi's is 5 min.
    pub operation_timeout: Duration,
}

impl StrimziOptions {
    /// With refreshes every 10 s, and otherwise Strimzi's own times.
    pub fn new(kubeconfig: impl Into<PathBuf>, bind: IpAddr, directory: impl Into<PathBuf>) -> Self {
        Self {
            kubeconfig: kubeconfig.into(),
            bind,
            directory: directory.into(),
            refresh: Duration::from_secs(10),
            auto_restart_minute: Duration::from_mins(1),
            operation_timeout: Duration::from_mins(5),
        }
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.bind.is_unspecified() && !self.bind.is_loopback(),
            "pods cannot reach {}: give the address of the node that they reach it at (for the one-node Kubernetes, the \
             gateway of its bridge)",
            self.bind
        );
        Ok(())
    }
}
