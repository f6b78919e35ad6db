//! The two authorities of a Kafka, as Strimzi has them: one signs the brokers' certificates, one the clients'.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::listeners::TlsPaths;
use super::resource::Key;
use crate::stack::run;

/// Certificates and keys of one Kafka, all PEM.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    folder: PathBuf,
}

const BROKER: &str = "broker-both.pem";

impl Authority {
    /// The authorities of the Kafka in this folder, and a certificate for its brokers at this address. Made once. Blocks.
    pub(super) fn of(folder: &Path, (namespace, name): &Key, bind: IpAddr) -> anyhow::Result<Self> {
        let folder = folder.join("tls");
        let authority = Self { folder };
        if authority.folder.join(BROKER).exists() {
            return Ok(authority);
        }
        std::fs::create_dir_all(&authority.folder)?;
        authority.certificate("cluster-ca", "cluster-ca v0", &[])?;
        authority.certificate("clients-ca", "clients-ca v0", &[])?;
        let service = format!("{name}-kafka-bootstrap");
        let names =
            ["", &format!(".{namespace}"), &format!(".{namespace}.svc"), &format!(".{namespace}.svc.cluster.local")]
                .map(|domain| format!("DNS:{service}{domain}"));
        let names = format!("subjectAltName=IP:{bind},{}", names.join(","));
        authority.certificate(
            "broker",
            &format!("{name}-kafka"),
            &[&issued_by("cluster-ca")[..], &["-addext".to_owned(), names]].concat(),
        )?;
        let both = authority.read("broker-key.pem")? + &authority.read("broker.pem")?;
        std::fs::write(authority.folder.join(BROKER), both)?;
        Ok(authority)
    }

    pub(super) fn paths(&self) -> TlsPaths {
        let path = |name: &str| self.folder.join(name).display().to_string();
        TlsPaths { broker: path(BROKER), clients_authority: path("clients-ca.pem") }
    }

    /// What clients trust.
    pub(super) fn cluster_ca(&self) -> anyhow::Result<String> {
        self.read("cluster-ca.pem")
    }

    /// What signs the clients' certificates.
    pub(super) fn clients_ca(&self) -> anyhow::Result<String> {
        self.read("clients-ca.pem")
    }

    /// Certificate and key of a user, made once. Blocks.
    pub(super) fn user(&self, name: &str) -> anyhow::Result<(String, String)> {
        let file = format!("user-{name}");
        if !self.folder.join(format!("{file}.pem")).exists() {
            self.certificate(&file, name, &issued_by("clients-ca"))?;
        }
        Ok((self.read(&format!("{file}.pem"))?, self.read(&format!("{file}-key.pem"))?))
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.join(name))?)
    }

    /// `FILE.pem` and its key `FILE-key.pem`.
    fn certificate(&self, file: &str, subject: &str, more: &[String]) -> anyhow::Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-days", "3650", "-subj", &format!("/CN={subject}")]).args(more).current_dir(&self.folder);
        openssl.args(["-out", &format!("{file}.pem"), "-keyout", &format!("{file}-key.pem")]);
        run(&mut openssl, "it creates certificates; version 3 or newer is needed")
    }
}

fn issued_by(authority: &str) -> Vec<String> {
    let (certificate, key) = (format!("{authority}.pem"), format!("{authority}-key.pem"));
    let words = ["-CA", &certificate, "-CAkey", &key, "-addext", "basicConstraints=critical,CA:FALSE"];
    words.map(str::to_owned).to_vec()
}
