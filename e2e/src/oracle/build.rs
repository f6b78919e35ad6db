//! Builds the Java program with Maven, once per version of its sources, into the cache directory.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::OracleError;

const SOURCES: [(&str, &str); 3] = [
    ("pom.xml", include_str!("../../oracle/pom.xml")),
    (
        "src/main/java/dev/tributary/oracle/Oracle.java",
        include_str!("../../oracle/src/main/java/dev/tributary/oracle/Oracle.java"),
    ),
    (
        "src/main/java/dev/tributary/oracle/Values.java",
        include_str!("../../oracle/src/main/java/dev/tributary/oracle/Values.java"),
    ),
];

/// The directory with the program's jars; built on first use. Processes that come at the same time build it once.
pub(super) fn program() -> Result<PathBuf, OracleError> {
    let cache = cache_dir();
    let jars = cache.join(format!("oracle-{:016x}", sources_hash()));
    create_dir(&cache)?;
    let lock = File::create(cache.join("oracle.lock")).map_err(|e| io("create its lock file", e))?;
    lock.lock().map_err(|e| io("lock its lock file", e))?;
    if !jars.exists() {
        build(&cache.join("oracle.building"), &jars)?;
    }
    Ok(jars)
}

/// `$TRIBUTARY_CACHE`, by default `~/.cache/tributary`.
fn cache_dir() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/tributary");
    std::env::var_os("TRIBUTARY_CACHE").map_or_else(home, PathBuf::from)
}

fn sources_hash() -> u64 {
    let mut hasher = DefaultHasher::new();
    SOURCES.hash(&mut hasher);
    hasher.finish()
}

/// Builds beside the target and renames, so that what exists is whole.
fn build(work: &Path, jars: &Path) -> Result<(), OracleError> {
    tracing::info!("building the independent Delta reader with Maven (about 80 MB to fetch the first time)");
    if work.exists() {
        fs::remove_dir_all(work).map_err(|e| io("remove an unfinished build", e))?;
    }
    for (name, text) in SOURCES {
        let file = work.join(name);
        create_dir(file.parent().unwrap_or(work))?;
        fs::write(&file, text).map_err(|e| io("write its sources", e))?;
    }
    run_maven(work)?;
    fs::rename(work.join("target"), jars).map_err(|e| io("move its build into place", e))?;
    fs::remove_dir_all(work).map_err(|e| io("remove its build directory", e))
}

fn run_maven(work: &Path) -> Result<(), OracleError> {
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "package"])
        .current_dir(work)
        .output()
        .map_err(|source| OracleError::ProgramMissing { program: "mvn", source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(OracleError::Build(String::from_utf8_lossy(&text).into_owned()))
}

fn create_dir(path: &Path) -> Result<(), OracleError> {
    fs::create_dir_all(path).map_err(|e| io(&format!("create {}", path.display()), e))
}

fn io(what: &str, source: std::io::Error) -> OracleError {
    OracleError::Io { what: what.to_string(), source }
}
