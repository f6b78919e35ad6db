//! What the three Java programs of a stack have in common.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use rustix::process::Signal;

use super::Part;
use super::directory::Directory;
use super::fetch::Software;
use super::process::Program;

/// A Java program with a small heap that leaves nothing outside of the stack's folder.
pub(super) fn program(software: &Software, directory: &Directory, part: Part, heap: &str) -> Program {
    let mut temporary = OsString::from("-Djava.io.tmpdir=");
    temporary.push(directory.tmp());
    let arguments = vec![format!("-Xmx{heap}").into(), "-XX:+UseSerialGC".into(), "-XX:-UsePerfData".into(), temporary];
    Program {
        path: software.java.clone(),
        arguments,
        environment: vec![],
        directory: directory.part(part),
        user: None,
        log: directory.log(part),
        kill_signal: Signal::KILL,
    }
}

/// The arguments that make a Java program one of Kafka's: its class path and its log settings, which are written to `tmp`.
pub(crate) fn kafka_arguments(software: &Software, tmp: &Path) -> anyhow::Result<Vec<OsString>> {
    let settings = tmp.join("log4j2.properties");
    std::fs::write(&settings, LOG_SETTINGS).with_context(|| format!("cannot write {}", settings.display()))?;
    let mut log = OsString::from("-Dlog4j2.configurationFile=");
    log.push(settings);
    Ok(vec![log, "-cp".into(), software.kafka.join("libs").join("*").into()])
}

/// A file of `name=value` lines.
pub(super) fn write_properties(path: &Path, properties: &[(&str, String)]) -> anyhow::Result<()> {
    let text: String = properties.iter().flat_map(|(name, value)| [name, "=", value, "\n"]).collect();
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// To stderr, as the tools print their answers to stdout.
const LOG_SETTINGS: &str = "\
status = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
";
