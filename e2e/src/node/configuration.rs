//! The configuration files of the node's parts.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::directory::{Directory, INSIDE};
use super::network::Network;
use super::{NODE_NAME, kubeconfig};

/// The image of the first process of every pod, imported as the node starts.
pub(super) const PAUSE_IMAGE: &str = "localhost/tributary/pause:1";

/// Writes them all into the node's directory.
pub(super) fn write(directory: &Directory, network: Network) -> anyhow::Result<()> {
    for client in ["admin", "controller-manager", "scheduler", "proxy", "kubelet", "dns"] {
        kubeconfig::write(directory, network, client)?;
    }
    let etc = directory.etc();
    save(&etc.join("containerd.toml"), &containerd())?;
    save(&etc.join("kubelet.json"), &kubelet(directory, network).to_string())?;
    save(&etc.join("proxy.json"), &proxy(network).to_string())?;
    save(&etc.join("Corefile"), &dns(network))?;
    std::fs::create_dir_all(etc.join("cni"))?;
    save(&etc.join("cni").join("pods.conflist"), &cni(network).to_string())
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn containerd() -> String {
    // Where Debian's package and the plugins' own releases put them.
    let folders = ["/usr/lib/cni", "/opt/cni/bin"];
    let plugins = folders.into_iter().find(|folder| Path::new(folder).join("bridge").exists()).unwrap_or(folders[0]);
    // A machine may not allow lower scores for the out-of-memory killer than containerd's own: runc would die.
    format!(
        "version = 2\n\
         root = \"{INSIDE}/containerd\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\n\
         sandbox_image = \"{PAUSE_IMAGE}\"\n\
         restrict_oom_score_adj = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\n\
         bin_dir = \"{plugins}\"\n\
         conf_dir = \"{INSIDE}/etc/cni\"\n"
    )
}

/// No masquerading: the host has a route to the pods, and sees their own addresses.
fn cni(network: Network) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods0",
            "isDefaultGateway": true,
            "hairpinMode": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": network.pods()}]]},
        }],
    })
}

fn kubelet(directory: &Directory, network: Network) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("{INSIDE}/pki/ca.pem")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", directory.id()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "clusterDomain": "cluster.local",
        "clusterDNS": [network.node().to_string()],
        "resolvConf": "",
        // The disk belongs to others too, and what was imported cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "maxPods": 200,
    })
}

fn proxy(network: Network) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": format!("{INSIDE}/clients/proxy")},
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": network.pods(),
        "bindAddress": network.node().to_string(),
        // Only the machine's own network namespace may change these.
        "conntrack": {"maxPerCore": 0, "min": 0},
        // Pods that reach each other through a service would else answer past the service's address.
        "nftables": {"masqueradeAll": true, "minSyncPeriod": "100ms"},
    })
}

/// Names of the cluster, and for every other name the answer that there is none.
fn dns(network: Network) -> String {
    format!(
        ". {{\n\
         \x20 bind {}\n\
         \x20 errors\n\
         \x20 ready {}:8181\n\
         \x20 kubernetes cluster.local in-addr.arpa {{\n\
         \x20   kubeconfig {INSIDE}/clients/dns\n\
         \x20   ttl 5\n\
         \x20 }}\n\
         \x20 template ANY ANY . {{\n\
         \x20   rcode NXDOMAIN\n\
         \x20 }}\n\
         }}\n",
        network.node(),
        network.node()
    )
}

/// What the cluster has from the start: a default storage class whose volumes are made as they are claimed, and what the
/// name server may read.
pub(super) fn first_objects() -> String {
    let storage_class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        // The controller manager makes a folder on the node for each claim, and removes it with the claim.
        "provisioner": "kubernetes.io/host-path",
        "reclaimPolicy": "Delete",
    });
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "tributary:dns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces", "pods", "nodes"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "tributary:dns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tributary:dns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tributary:dns"}],
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [storage_class, role, binding]}).to_string()
}
