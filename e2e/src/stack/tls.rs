//! Certificates for Kafka's TLS listeners: an authority of the stack's own, the broker's and one client's.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fetch::run;

/// Where the certificates and keys are, all PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The authority's certificate: what clients trust.
    pub ca_pem: PathBuf,
    /// A client's certificate, signed by the authority.
    pub client_cert_pem: PathBuf,
    /// The client's key (PKCS#8, not encrypted).
    pub client_key_pem: PathBuf,
    /// The broker's key, followed by its certificate, which names the stack's address and `localhost`.
    pub broker_pem: PathBuf,
    folder: PathBuf,
}

impl TlsFiles {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self {
            ca_pem: folder.join("ca.pem"),
            client_cert_pem: folder.join("client.pem"),
            client_key_pem: folder.join("client-key.pem"),
            broker_pem: folder.join("broker-both.pem"),
            folder,
        }
    }

    /// Creates the files for a broker at this address, unless they are there. Blocks.
    pub(super) fn generate(&self, bind: IpAddr) -> anyhow::Result<()> {
        if self.broker_pem.exists() {
            return Ok(());
        }
        let folder = &self.folder;
        std::fs::create_dir_all(folder)?;
        let broker_name = format!("subjectAltName=IP:{bind},DNS:localhost");
        certificate(folder, "ca", &[])?;
        let issued = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "basicConstraints=critical,CA:FALSE"];
        certificate(folder, "broker", &[&issued[..], &["-addext", &broker_name]].concat())?;
        certificate(folder, "client", &issued)?;
        let mut broker = std::fs::read_to_string(folder.join("broker-key.pem"))?;
        broker.push_str(&std::fs::read_to_string(folder.join("broker.pem"))?);
        Ok(std::fs::write(&self.broker_pem, broker)?)
    }
}

/// `NAME.pem` and its key `NAME-key.pem`.
fn certificate(folder: &Path, name: &str, more: &[&str]) -> anyhow::Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]);
    openssl.args(["-subj", &format!("/CN=tributary-stack-{name}")]).args(more).current_dir(folder);
    openssl.args(["-out", &format!("{name}.pem"), "-keyout", &format!("{name}-key.pem")]);
    run(&mut openssl, "it creates Kafka's certificates; version 3 or newer is needed")
}
