//! Fetches what the Java program stands on and compiles it, once per version of its sources, into the cache.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use xxhash_rust::xxh3::xxh3_64;

use super::OracleError;
use crate::stack::maven_set;

const POM: &str = include_str!("../../oracle/pom.xml");
const SOURCES: [(&str, &str); 2] = [
    ("Oracle.java", include_str!("../../oracle/src/dev/tributary/oracle/Oracle.java")),
    ("Values.java", include_str!("../../oracle/src/dev/tributary/oracle/Values.java")),
];
const COMPILER: &str = "org.eclipse.jdt.internal.compiler.batch.Main";

/// The class path of the program. Blocks while it is made.
pub(super) fn class_path() -> Result<OsString, OracleError> {
    let set = maven_set("oracle", "the independent Delta reader (about 80 MB)", POM).map_err(OracleError::Fetch)?;
    let libs = set.join("libs").join("*");
    let source_text: String = SOURCES.iter().map(|(_, text)| *text).collect();
    let classes = set.join(format!("classes-{:016x}", xxh3_64(source_text.as_bytes())));
    if !classes.exists() {
        compile(&libs, &set, &classes)?;
    }
    Ok([classes.as_os_str(), libs.as_os_str()].join(":".as_ref()))
}

/// Compiles aside and renames, so that what exists is whole. Of processes that come at the same time, the first wins.
fn compile(libs: &Path, set: &Path, classes: &Path) -> Result<(), OracleError> {
    let failed = |source| OracleError::Io { what: "write its program to the cache".to_owned(), source };
    let work = tempfile::tempdir_in(set).map_err(failed)?;
    let sources = write_sources(work.path()).map_err(failed)?;
    let output = work.path().join("classes");
    run_compiler(libs, &sources, &output)?;
    match fs::rename(&output, classes) {
        Err(_) if classes.exists() => Ok(()),
        renamed => renamed.map_err(failed),
    }
}

fn write_sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let write = |(name, text): &(&str, &str)| {
        let path = folder.join(name);
        fs::write(&path, text).map(|()| path)
    };
    SOURCES.iter().map(write).collect()
}

fn run_compiler(libs: &Path, sources: &[PathBuf], output: &Path) -> Result<(), OracleError> {
    let printed = Command::new("java")
        .arg("-cp")
        .arg(libs)
        .args([COMPILER, "-17", "-encoding", "UTF-8", "-proc:none", "-d"])
        .arg(output)
        .args(sources)
        .output()
        .map_err(|source| OracleError::NoJava { source })?;
    if printed.status.success() {
        return Ok(());
    }
    Err(OracleError::Compile(String::from_utf8_lossy(&printed.stderr).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_compiles_with_what_its_pom_names() {
        let class_path = class_path().unwrap();
        let classes = class_path.to_str().unwrap().split(':').next().unwrap().to_owned();
        assert!(Path::new(&classes).join("dev/tributary/oracle/Oracle.class").exists());
    }
}
