//! How the clients of the API server find it and who they are there.

use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::certificates::{certificate_path, key_path};
use super::directory::Directory;
use super::network::Network;

/// Writes the configuration of this client, with everything in it: it works from any folder, on host and node.
pub(super) fn write(directory: &Directory, network: Network, client: &str) -> anyhow::Result<()> {
    let pki = directory.pki();
    let server = format!("https://{}:6443", network.node());
    let cluster = json!({"server": server, "certificate-authority-data": encoded(&certificate_path(&pki, "ca"))?});
    let user = json!({
        "client-certificate-data": encoded(&certificate_path(&pki, client))?,
        "client-key-data": encoded(&key_path(&pki, client))?,
    });
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tributary", "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "tributary", "context": {"cluster": "tributary", "user": client}}],
        "current-context": "tributary",
    });
    let path = directory.kubeconfig(client);
    std::fs::write(&path, config.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    only_for_owner(&path)
}

fn only_for_owner(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

fn encoded(path: &Path) -> anyhow::Result<String> {
    let content = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BASE64_STANDARD.encode(content))
}
