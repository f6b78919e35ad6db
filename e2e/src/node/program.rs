//! How each part of the node is run, inside the node's machine.

use super::directory::{Directory, INSIDE};
use super::machine::Machine;
use super::network::Network;
use super::{NODE_NAME, NodePart};
use crate::stack::Program;

/// The part's program and arguments.
pub(super) fn of(part: NodePart, machine: Machine, directory: &Directory, network: Network) -> Program {
    let (program, arguments) = match part {
        NodePart::Containerd => ("containerd", containerd()),
        NodePart::Etcd => ("etcd", etcd()),
        NodePart::Apiserver => ("kube-apiserver", apiserver(network)),
        NodePart::ControllerManager => ("kube-controller-manager", controller_manager()),
        NodePart::Scheduler => ("kube-scheduler", scheduler()),
        NodePart::Proxy => ("kube-proxy", vec![format!("--config={INSIDE}/etc/proxy.json")]),
        NodePart::Kubelet => ("kubelet", kubelet(network)),
        NodePart::Dns => ("coredns", vec!["-conf".to_owned(), format!("{INSIDE}/etc/Corefile")]),
    };
    let path = if program == "containerd" { program.to_owned() } else { format!("/run/programs/{program}") };
    machine.program(&path, arguments, directory.log(part.name()))
}

fn pki(name: &str) -> String {
    format!("{INSIDE}/pki/{name}.pem")
}

fn containerd() -> Vec<String> {
    vec![format!("--config={INSIDE}/etc/containerd.toml")]
}

fn etcd() -> Vec<String> {
    [
        format!("--data-dir={INSIDE}/etcd"),
        // The cluster does not outlive the machine: nothing is lost by not waiting for the disk.
        "--unsafe-no-fsync".into(),
        "--listen-client-urls=http://127.0.0.1:2379".into(),
        "--advertise-client-urls=http://127.0.0.1:2379".into(),
        "--listen-peer-urls=http://127.0.0.1:2380".into(),
        "--log-level=warn".into(),
    ]
    .into()
}

fn apiserver(network: Network) -> Vec<String> {
    [
        format!("--advertise-address={}", network.node()),
        "--secure-port=6443".into(),
        "--etcd-servers=http://127.0.0.1:2379".into(),
        format!("--service-cluster-ip-range={}", network.services()),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged".into(),
        // Or logs and exec look the node's name up in DNS.
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!("--client-ca-file={}", pki("ca")),
        format!("--tls-cert-file={}", pki("apiserver")),
        format!("--tls-private-key-file={}", pki("apiserver-key")),
        format!("--kubelet-client-certificate={}", pki("apiserver-client")),
        format!("--kubelet-client-key={}", pki("apiserver-client-key")),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        format!("--service-account-key-file={}", pki("service-accounts")),
        format!("--service-account-signing-key-file={}", pki("service-accounts-key")),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca")),
        "--requestheader-allowed-names=front-proxy-client".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        format!("--proxy-client-cert-file={}", pki("front-proxy")),
        format!("--proxy-client-key-file={}", pki("front-proxy-key")),
    ]
    .into()
}

fn controller_manager() -> Vec<String> {
    [
        format!("--kubeconfig={INSIDE}/clients/controller-manager"),
        "--bind-address=127.0.0.1".into(),
        "--leader-elect=false".into(),
        "--use-service-account-credentials".into(),
        format!("--service-account-private-key-file={}", pki("service-accounts-key")),
        format!("--root-ca-file={}", pki("ca")),
        format!("--cluster-signing-cert-file={}", pki("ca")),
        format!("--cluster-signing-key-file={}", pki("ca-key")),
        // Volumes for claims: folders below /tmp, which is the node's own inside the machine.
        "--enable-hostpath-provisioner".into(),
    ]
    .into()
}

fn scheduler() -> Vec<String> {
    [
        format!("--kubeconfig={INSIDE}/clients/scheduler"),
        "--bind-address=127.0.0.1".into(),
        "--leader-elect=false".into(),
    ]
    .into()
}

fn kubelet(network: Network) -> Vec<String> {
    [
        format!("--config={INSIDE}/etc/kubelet.json"),
        format!("--kubeconfig={INSIDE}/clients/kubelet"),
        format!("--root-dir={INSIDE}/kubelet"),
        format!("--cert-dir={INSIDE}/kubelet/pki"),
        format!("--hostname-override={NODE_NAME}"),
        format!("--node-ip={}", network.node()),
    ]
    .into()
}
