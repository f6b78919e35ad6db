//! What every part of one stack is started from.

use super::directory::Directory;
use super::fetch::Software;
use super::process::Program;
use super::tls::TlsFiles;
use super::{Addresses, Part, connect, kafka, postgres, registry, s3};

#[derive(Debug)]
pub(super) struct Setup {
    pub(super) software: Software,
    pub(super) addresses: Addresses,
    pub(super) tls: TlsFiles,
    pub(super) directory: Directory,
    pub(super) postgres_settings: Vec<String>,
}

impl Setup {
    /// Writes the part's configuration, creates its data if there is none, and says how to run it. Blocks.
    pub(super) fn prepare(&self, part: Part) -> anyhow::Result<Program> {
        let Self { software, addresses, tls, directory, postgres_settings } = self;
        match part {
            Part::Postgres => {
                postgres::prepare(software, directory)?;
                Ok(postgres::program(software, directory, addresses, postgres_settings))
            }
            Part::Kafka => {
                tls.generate(addresses.bind)?;
                kafka::prepare(software, directory, addresses, tls)?;
                kafka::program(software, directory)
            }
            Part::Connect => {
                connect::prepare(software, directory, addresses)?;
                connect::program(software, directory)
            }
            Part::Registry => registry::program(software, directory, addresses),
            Part::S3 => Ok(s3::program(software, directory, addresses)),
        }
    }
}
