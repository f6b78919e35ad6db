//! The cluster's certificates: one authority that signs the API server's and every client's, one for the API server's own
//! calls to extensions, and the key of service accounts.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::NODE_NAME;
use super::network::Network;
use crate::stack::run;

/// A client of the API server: the name of its files, its user and the group that gives it its rights.
struct Client {
    name: &'static str,
    user: &'static str,
    group: Option<&'static str>,
}

const CLIENTS: [Client; 7] = [
    Client { name: "admin", user: "admin", group: Some("system:masters") },
    Client { name: "apiserver-client", user: "apiserver", group: Some("system:masters") },
    Client { name: "controller-manager", user: "system:kube-controller-manager", group: None },
    Client { name: "scheduler", user: "system:kube-scheduler", group: None },
    Client { name: "proxy", user: "system:kube-proxy", group: None },
    Client { name: "dns", user: "tributary:dns", group: None },
    Client { name: "kubelet", user: "system:node:tributary", group: Some("system:nodes") },
];

/// Writes `NAME.pem` and `NAME-key.pem` for each of them into this folder. Blocks.
pub(super) fn generate(folder: &Path, network: Network) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    certificate(folder, "ca", "/CN=tributary-node", &[])?;
    certificate(folder, "front-proxy-ca", "/CN=tributary-node-front-proxy", &[])?;
    let names = format!(
        "subjectAltName=IP:{},IP:{},IP:127.0.0.1,DNS:localhost,DNS:{NODE_NAME},DNS:kubernetes,DNS:kubernetes.default,\
         DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local",
        network.node(),
        network.api_service()
    );
    issue(folder, "apiserver", "/CN=kube-apiserver", "ca", &["-addext", &names])?;
    issue(folder, "front-proxy", "/CN=front-proxy-client", "front-proxy-ca", &[])?;
    for client in CLIENTS {
        let group = client.group.map(|group| format!("/O={group}")).unwrap_or_default();
        issue(folder, client.name, &format!("{group}/CN={}", client.user), "ca", &[])?;
    }
    // Service accounts need a key only: the certificate beside it is not used.
    certificate(folder, "service-accounts", "/CN=service-accounts", &[])
}

/// Where the certificate of this name is.
pub(super) fn certificate_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

/// Where the key of this name is.
pub(super) fn key_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}-key.pem"))
}

fn issue(folder: &Path, name: &str, subject: &str, authority: &str, more: &[&str]) -> anyhow::Result<()> {
    let (certificate, key) = (format!("{authority}.pem"), format!("{authority}-key.pem"));
    let issued = ["-CA", &certificate, "-CAkey", &key, "-addext", "basicConstraints=critical,CA:FALSE"];
    self::certificate(folder, name, subject, &[&issued, more].concat())
}

fn certificate(folder: &Path, name: &str, subject: &str, more: &[&str]) -> anyhow::Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]);
    openssl.args(["-subj", subject, "-out", &format!("{name}.pem"), "-keyout", &format!("{name}-key.pem")]);
    openssl.args(more).current_dir(folder);
    run(&mut openssl, "it creates the cluster's certificates; version 3 or newer is needed")
}
