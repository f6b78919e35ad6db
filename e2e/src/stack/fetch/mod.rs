//! What a stack runs on: pinned downloads in a cache outside of the checkout, and the programs the machine must have.

pub(crate) mod cache;
pub(crate) mod machine;
mod maven;
mod newest_postgres;
mod python;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::process::last_lines;
use super::{Part, PostgresRelease};
use cache::Download;

pub use maven::maven_set;
pub use python::python_environment;

/// Where the programs of a stack are. A path is set when one of the stack's parts needs it.
#[derive(Debug, Default)]
pub(crate) struct Software {
    /// The Java program.
    pub(crate) java: PathBuf,
    /// The folder of `PostgreSQL`'s server programs.
    pub(crate) postgres_bin: PathBuf,
    /// `libs` and `plugins` of Kafka and Connect.
    pub(crate) kafka: PathBuf,
    /// The registry in `app`, its Avro converter for Connect in `plugins`.
    pub(crate) registry: PathBuf,
    /// `LocalStack`'s own Python.
    pub(crate) s3_python: PathBuf,
}

const KAFKA_POM: &str = include_str!("kafka.pom.xml");
const REGISTRY_POM: &str = include_str!("registry.pom.xml");

/// Installs or names what the machine lacks, then downloads what the cache lacks. Instant when nothing is missing.
pub(crate) async fn software(parts: BTreeSet<Part>, postgres: PostgresRelease) -> anyhow::Result<Software> {
    tokio::task::spawn_blocking(move || software_blocking(&parts, postgres)).await?
}

fn software_blocking(parts: &BTreeSet<Part>, postgres: PostgresRelease) -> anyhow::Result<Software> {
    let needs = Needs { parts, newest_postgres: postgres == PostgresRelease::Newest };
    machine::require(&needs.programs()?)?;
    std::thread::scope(|scope| {
        let python = needs.s3().then(|| scope.spawn(python::localstack));
        let mut software = Software::default();
        if needs.newest_postgres() {
            software.postgres_bin = newest_postgres::bin()?;
        } else if needs.postgres() {
            software.postgres_bin = machine::postgres_bin().context("PostgreSQL's server programs are missing")?;
        }
        if needs.java() {
            software.java = machine::java(17).context("Java is missing")?;
        }
        if needs.kafka() {
            software.kafka = kafka().get(|set| maven::fill(set, KAFKA_POM))?;
        }
        if needs.registry() {
            software.registry = registry().get(|set| {
                maven::fill(set, REGISTRY_POM)?;
                announce_converter(&set.join("plugins").join("apicurio-converter"))
            })?;
        }
        if let Some(python) = python {
            software.s3_python =
                python.join().map_err(|_| anyhow::anyhow!("the download of LocalStack panicked"))??;
        }
        Ok(software)
    })
}

fn kafka() -> Download<'static> {
    maven::download("kafka", "Kafka 4.3.1 and Debezium 3.7.0 (about 60 MB)", KAFKA_POM)
}

fn registry() -> Download<'static> {
    maven::download("registry", "the Apicurio registry 2.6.13 (about 170 MB)", REGISTRY_POM)
}

/// Lets Connect find the Avro converter, whose own jar does not announce it.
fn announce_converter(plugin: &Path) -> anyhow::Result<()> {
    let services = plugin.join("META-INF").join("services");
    std::fs::create_dir_all(&services)?;
    let interface = services.join("org.apache.kafka.connect.storage.Converter");
    std::fs::write(interface, "io.apicurio.registry.utils.converter.AvroConverter\n")?;
    let mut zip = Command::new("python3");
    zip.args(["-m", "zipfile", "-c", "services.jar", "META-INF"]).current_dir(plugin);
    run(&mut zip, "it packs one file into a jar")
}

/// What the chosen parts are made of.
struct Needs<'a> {
    parts: &'a BTreeSet<Part>,
    newest_postgres: bool,
}

impl Needs<'_> {
    fn postgres(&self) -> bool {
        self.parts.contains(&Part::Postgres)
    }

    fn newest_postgres(&self) -> bool {
        self.postgres() && self.newest_postgres
    }

    fn kafka(&self) -> bool {
        self.parts.contains(&Part::Kafka)
    }

    /// Connect's worker must find the converter even in a stack without a registry of its own.
    fn registry(&self) -> bool {
        self.parts.contains(&Part::Registry) || self.parts.contains(&Part::Connect)
    }

    fn s3(&self) -> bool {
        self.parts.contains(&Part::S3)
    }

    fn java(&self) -> bool {
        self.kafka() || self.registry()
    }

    /// The programs that the machine itself must have; those that only download are needed as long as there is something
    /// to download.
    fn programs(&self) -> anyhow::Result<Vec<machine::Program>> {
        use machine::Program;
        let fetch_kafka = self.kafka() && !kafka().is_there()?;
        let fetch_registry = self.registry() && !registry().is_there()?;
        let fetch_postgres = self.newest_postgres() && !newest_postgres::is_there()?;
        let fetch_s3 = self.s3() && !python::LOCALSTACK.is_there()?;
        let all = [
            (true, Program::Setpriv),
            (self.java(), Program::Java),
            (self.kafka(), Program::Openssl),
            (self.postgres(), Program::Postgres),
            (fetch_kafka || fetch_registry || fetch_postgres, Program::Maven),
            (fetch_registry || fetch_s3, Program::PythonVenv),
        ];
        Ok(all.into_iter().filter_map(|(needed, program)| needed.then_some(program)).collect())
    }
}

/// A program that ends with this one: a broken-off download must not go on behind the back of the next.
fn mortal(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program);
    command
}

/// Runs a program to its end; when it fails, the error shows the end of what it printed and the hint.
pub(crate) fn run(command: &mut Command, hint: &str) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    anyhow::bail!("{command:?} ended with {} ({hint}):\n{}", output.status, last_lines(&printed, 30))
}
