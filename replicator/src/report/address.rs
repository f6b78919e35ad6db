//! Where a running replicator answers: `replicator status`, `restart` and `resync` ask it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use url::Url;

use crate::settings::{self, SettingsError};

/// The port of a resource that says nothing of it.
const PORT: u16 = 8080;

/// `url` if it is given; else a replicator on this machine, at the port of the resource in `file`, or at the one that a resource has which
/// says nothing of it.
pub fn address(url: Option<Url>, file: Option<&Path>) -> Result<Url, SettingsError> {
    let port = match (&url, file) {
        (None, Some(file)) => settings::read(file)?.spec.replicator.http_port,
        _ => PORT,
    };
    url.map_or_else(|| on_this_machine(port), Ok)
}

fn on_this_machine(port: u16) -> Result<Url, SettingsError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let field = "spec.replicator.httpPort".to_owned();
    Url::parse(&format!("http://{address}")).map_err(|source| SettingsError::Url { field, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: CdcReplication
metadata: {namespace: js, name: x}
spec:
  source: {postgres: {host: pg, database: shop, credentials: {secretName: pg}}}
  tables: [{name: public.users}]
  kafka: {external: {bootstrapServers: 'kafka:9092'}}
  format: {json: {}}
  destination: {uri: 'file:///lake'}
  replicator: {httpPort: 9090}
";

    #[test]
    fn it_answers_at_the_url_else_at_the_port_of_the_document_else_at_the_usual_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("shop.yaml");
        std::fs::write(&file, SHOP).unwrap();
        let at = |url: Option<&str>, file| address(url.map(|url| url.parse().unwrap()), file).unwrap().to_string();
        assert_eq!(at(None, None), "http://127.0.0.1:8080/");
        assert_eq!(at(None, Some(&file)), "http://127.0.0.1:9090/");
        assert_eq!(at(Some("http://far:1"), Some(&file)), "http://far:1/");
        assert_eq!(at(Some("http://far:1"), Some(Path::new("nowhere"))), "http://far:1/");
        let error = address(None, Some(Path::new("nowhere"))).unwrap_err();
        assert!(matches!(error, SettingsError::Unreadable { .. }), "{error}");
    }
}
