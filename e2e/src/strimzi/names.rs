//! The names of the cluster's Services, for programs on the host: a file that the Java programs read instead of asking DNS.

use std::path::{Path, PathBuf};

use anyhow::Context;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::reflector::{reflector, store};
use kube::runtime::watcher::Config;
use kube::runtime::{WatchStreamExt, watcher};

/// Writes the file as it is without the cluster.
pub(super) fn begin(path: &Path) -> anyhow::Result<()> {
    replace(path, &own_hosts()).with_context(|| format!("cannot write {}", path.display()))
}

/// Keeps the file up to date for as long as it is polled.
pub(super) async fn keep(client: Client, path: PathBuf) {
    let (services, writer) = store::<Service>();
    let events = reflector(writer, watcher(Api::all(client), Config::default()).default_backoff());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        if event.is_err() {
            continue;
        }
        let services = services.state();
        let text = hosts(&own_hosts(), services.iter().filter_map(|service| entry(service)));
        if let Err(error) = replace(&path, &text) {
            tracing::warn!("the names of Services cannot be written to {}: {error}", path.display());
        }
    }
}

/// Address, name and namespace of a Service that has an address.
fn entry(service: &Service) -> Option<(String, String, String)> {
    let address =
        service.spec.as_ref()?.cluster_ip.clone().filter(|address| address != "None" && !address.is_empty())?;
    Some((address, service.name_any(), service.namespace()?))
}

fn hosts(own: &str, services: impl Iterator<Item = (String, String, String)>) -> String {
    let line = |(address, name, namespace): (String, String, String)| {
        let full = format!("{name}.{namespace}.svc");
        format!("{address} {full} {full}.cluster.local {name}.{namespace}\n")
    };
    let mut lines: Vec<String> = services.map(line).collect();
    lines.sort();
    format!("{own}\n{}", lines.concat())
}

/// What the machine itself knows: its own name and `localhost`.
fn own_hosts() -> String {
    std::fs::read_to_string("/etc/hosts").unwrap_or_else(|_| "127.0.0.1 localhost\n".to_owned())
}

/// A reader sees the old file or the new one.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_the_names_that_pods_use() {
        let services = [("10.96.0.7".to_owned(), "pg".to_owned(), "lake".to_owned())];
        let text = hosts("127.0.0.1 localhost", services.into_iter());
        assert_eq!(text, "127.0.0.1 localhost\n10.96.0.7 pg.lake.svc pg.lake.svc.cluster.local pg.lake\n");
    }
}
