//! Ports that stay the same when a program, or the stand-in itself, is started again.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::stack::{PortChoice, PortClaims, claim_one};

/// The ports of one cluster, by what they are for.
#[derive(Debug)]
pub(super) struct Ports {
    file: PathBuf,
    bind: IpAddr,
    known: BTreeMap<String, u16>,
    claimed: BTreeMap<String, (u16, PortClaims)>,
}

impl Ports {
    /// Those that a folder remembers.
    pub(super) fn of(folder: &Path, bind: IpAddr) -> Self {
        let file = folder.join("ports.json");
        let known = std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok());
        Self { file, bind, known: known.unwrap_or_default(), claimed: BTreeMap::new() }
    }

    /// The address for this purpose: the one it had before if that is still free.
    pub(super) fn address(&mut self, purpose: &str) -> anyhow::Result<SocketAddr> {
        if let Some((port, _)) = self.claimed.get(purpose) {
            return Ok(SocketAddr::new(self.bind, *port));
        }
        let again = self.known.get(purpose).and_then(|&port| claim_one(self.bind, PortChoice::From(port)).ok());
        let (port, claim) = match again {
            Some(claimed) => claimed,
            None => claim_one(self.bind, PortChoice::Free)?,
        };
        self.claimed.insert(purpose.to_owned(), (port, claim));
        self.known.insert(purpose.to_owned(), port);
        let text = serde_json::to_string(&self.known)?;
        std::fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))?;
        Ok(SocketAddr::new(self.bind, port))
    }
}
