//! The operator's own settings: flags, or the environment variables that the chart sets.

use clap::Args;

/// Settings of the operator.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Namespaces whose resources are looked after, separated by commas. None: all of them.
    #[arg(long, env = "TRIBUTARY_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Image of the replicator, for resources that name none.
    #[arg(
        long,
        env = "TRIBUTARY_REPLICATOR_IMAGE",
        default_value = concat!("tributary/replicator:", env!("CARGO_PKG_VERSION"))
    )]
    pub replicator_image: String,
    /// Image of Kafka Connect with the Debezium Postgres connector, for resources that name none.
    #[arg(long, env = "TRIBUTARY_CONNECT_IMAGE")]
    pub connect_image: Option<String>,
    /// Version of the Kafka clusters that Strimzi makes.
    #[arg(long, env = "TRIBUTARY_KAFKA_VERSION", default_value = "4.3.1")]
    pub kafka_version: String,
    /// Port of /metrics, /startupz, /livez and /readyz.
    #[arg(long, env = "TRIBUTARY_HTTP_PORT", default_value_t = 8080)]
    pub http_port: u16,
    /// Name of the Lease by which one of several operators is chosen.
    #[arg(long, env = "TRIBUTARY_LEASE_NAME", default_value = "tributary-operator")]
    pub lease_name: String,
    /// Name of this pod: who holds the lease, and what events about the operator itself are attached to.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Namespace of this pod, of the lease too. Default: that of the kubeconfig.
    #[arg(long, env = "POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
}

impl Settings {
    /// The watched namespaces; empty for all. An empty variable names none.
    pub fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.watch_namespaces.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The default image of Connect; an empty variable is none.
    pub fn connect_image(&self) -> Option<String> {
        self.connect_image.clone().filter(|image| !image.is_empty())
    }

    /// Who we are in the lease: the pod, or this process of this machine.
    pub fn identity(&self) -> String {
        let pod = self.pod_name.clone().filter(|name| !name.is_empty());
        pod.unwrap_or_else(|| format!("process-{}", std::process::id()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn parsed(arguments: &[&str]) -> Settings {
        Command::parse_from([&["operator"], arguments].concat()).settings
    }

    #[test]
    fn no_namespace_means_all_and_an_empty_variable_too() {
        assert!(parsed(&[]).namespaces().is_empty());
        assert!(parsed(&["--watch-namespaces", ""]).namespaces().is_empty());
    }

    #[test]
    fn a_namespace_is_watched_once() {
        assert_eq!(parsed(&["--watch-namespaces", "shop, lake,shop"]).namespaces(), ["lake", "shop"]);
    }

    #[test]
    fn an_empty_image_is_none() {
        assert_eq!(parsed(&["--connect-image", ""]).connect_image(), None);
        assert_eq!(parsed(&["--connect-image", "c:1"]).connect_image(), Some("c:1".into()));
    }

    #[test]
    fn the_pod_holds_the_lease() {
        assert_eq!(parsed(&["--pod-name", "operator-0"]).identity(), "operator-0");
        assert!(parsed(&["--pod-name", ""]).identity().starts_with("process-"));
    }
}
