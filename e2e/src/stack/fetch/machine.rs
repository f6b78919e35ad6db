//! Programs that the machine itself must have: looked for, installed where that can be done, else named in one message.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::run;

/// A program that a stack or a node needs and does not download itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Java,
    Maven,
    Postgres,
    PythonVenv,
    Openssl,
    Setpriv,
    Namespaces,
    Ip,
    Containerd,
    Runc,
    CniPlugins,
    Nftables,
    Buildah,
    Mmdebstrap,
}

impl Program {
    fn is_there(self) -> bool {
        match self {
            Self::Java => java(17).is_some(),
            Self::Maven => on_path("mvn").is_some(),
            Self::Postgres => postgres_bin().is_some(),
            Self::PythonVenv => succeeds(Command::new("python3").args(["-c", "import venv, ensurepip, zipfile"])),
            Self::Openssl => on_path("openssl").is_some(),
            Self::Setpriv => on_path("setpriv").is_some() && on_path("setsid").is_some(),
            Self::Namespaces => on_path("unshare").is_some() && on_path("nsenter").is_some(),
            Self::Ip => on_path("ip").is_some(),
            Self::Containerd => on_path("containerd").is_some() && on_path("ctr").is_some(),
            Self::Runc => on_path("runc").is_some(),
            Self::CniPlugins => {
                ["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"].iter().any(|path| Path::new(path).is_file())
            }
            Self::Nftables => on_path("nft").is_some(),
            Self::Buildah => on_path("buildah").is_some(),
            Self::Mmdebstrap => on_path("mmdebstrap").is_some(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Java => "Java 17 or newer",
            Self::Maven => "Maven (mvn)",
            Self::Postgres => "PostgreSQL's server (initdb, postgres)",
            Self::PythonVenv => "Python 3 with its venv module",
            Self::Openssl => "openssl",
            Self::Setpriv => "setpriv and setsid (util-linux)",
            Self::Namespaces => "unshare and nsenter (util-linux)",
            Self::Ip => "ip (iproute2)",
            Self::Containerd => "containerd and ctr",
            Self::Runc => "runc",
            Self::CniPlugins => "the CNI plugins bridge, host-local and loopback",
            Self::Nftables => "nft (nftables)",
            Self::Buildah => "buildah",
            Self::Mmdebstrap => "mmdebstrap",
        }
    }

    fn debian_package(self) -> &'static str {
        match self {
            Self::Java => "default-jre-headless",
            Self::Maven => "maven",
            Self::Postgres => "postgresql",
            Self::PythonVenv => "python3-venv",
            Self::Openssl => "openssl",
            Self::Setpriv | Self::Namespaces => "util-linux",
            Self::Ip => "iproute2",
            Self::Containerd => "containerd",
            Self::Runc => "runc",
            Self::CniPlugins => "containernetworking-plugins",
            Self::Nftables => "nftables",
            Self::Buildah => "buildah",
            Self::Mmdebstrap => "mmdebstrap",
        }
    }
}

/// Makes sure that these programs are there: root on Debian installs what is missing, everybody else is told how.
pub(crate) fn require(programs: &[Program]) -> anyhow::Result<()> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    anyhow::ensure!(is_root() && on_path("apt-get").is_some(), "{}", how_to_install(&missing));
    install(&missing)?;
    let missing = self::missing(programs);
    anyhow::ensure!(missing.is_empty(), "apt-get ran, but this is still missing: {}", titles(&missing));
    Ok(())
}

fn missing(programs: &[Program]) -> Vec<Program> {
    programs.iter().copied().filter(|program| !program.is_there()).collect()
}

fn titles(programs: &[Program]) -> String {
    programs.iter().map(|program| program.title()).collect::<Vec<_>>().join(", ")
}

fn packages(programs: &[Program]) -> Vec<&'static str> {
    programs.iter().map(|program| program.debian_package()).collect()
}

fn how_to_install(missing: &[Program]) -> String {
    format!(
        "this machine lacks {}. On Debian or Ubuntu, install it with\n  sudo apt-get install -y --no-install-recommends {}\n\
         (elsewhere: the packages of the same purpose), then run this again",
        titles(missing),
        packages(missing).join(" ")
    )
}

fn install(missing: &[Program]) -> anyhow::Result<()> {
    tracing::info!("installing {} with apt-get…", titles(missing));
    apt_get(&["update", "-q"])?;
    if missing.contains(&Program::Postgres) {
        apt_get_install(&["postgresql-common"])?;
        keep_debian_from_creating_a_cluster()?;
    }
    apt_get_install(&packages(missing))
}

fn apt_get_install(packages: &[&str]) -> anyhow::Result<()> {
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    // Another package manager may be at work, as on a machine that has just booted: wait for it.
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=120"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command, "Debian's package archive must be reachable")
}

/// Debian's `postgresql` creates a cluster on port 5432 and starts it as it is installed. Nobody asked for one.
fn keep_debian_from_creating_a_cluster() -> anyhow::Result<()> {
    let path = Path::new("/etc/postgresql-common/createcluster.conf");
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let mut kept: String =
        before.lines().filter(|line| !line.starts_with("create_main_cluster")).flat_map(|line| [line, "\n"]).collect();
    kept.push_str("create_main_cluster = false\n");
    std::fs::write(path, kept).with_context(|| format!("cannot write {}", path.display()))
}

/// Java of this release or a newer one: `$JAVA_HOME`'s, else the first on the path.
pub(crate) fn java(oldest: u32) -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin").join("java"));
    home.into_iter().chain(on_path("java")).find(|java| java_release(java).is_some_and(|release| release >= oldest))
}

fn java_release(java: &Path) -> Option<u32> {
    let output = Command::new(java).args(["-XX:-UsePerfData", "-version"]).stdin(Stdio::null()).output().ok()?;
    parse_java_release(&String::from_utf8_lossy(&output.stderr))
}

/// The release in `openjdk version "17.0.15" 2025-04-15`; old ones call themselves 1.8.
fn parse_java_release(printed: &str) -> Option<u32> {
    let version = printed.split('"').nth(1)?;
    version.split(['.', '-', '+']).next()?.parse().ok()
}

/// The folder of the newest `PostgreSQL` server (14 or newer): Debian's folders, else the path.
pub(super) fn postgres_bin() -> Option<PathBuf> {
    let mut installed: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let release: u32 = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            (release >= 14 && bin.join("postgres").exists() && bin.join("initdb").exists()).then_some((release, bin))
        })
        .collect();
    installed.sort();
    let newest = installed.pop().map(|(_, bin)| bin);
    newest.or_else(|| on_path("initdb").and_then(|initdb| initdb.parent().map(Path::to_owned)))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // An administrator's programs may be missing from the path of an ordinary user.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_says_its_release_in_several_ways() {
        assert_eq!(parse_java_release("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime…"), Some(17));
        assert_eq!(parse_java_release("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(parse_java_release("openjdk version \"26-ea\" 2026-03-17"), Some(26));
        assert_eq!(parse_java_release("java version \"1.8.0_392\""), Some(1));
        assert_eq!(parse_java_release("Error: could not find libjava.so"), None);
    }

    #[test]
    fn everything_that_is_missing_is_named_in_one_message_with_the_command() {
        let message = how_to_install(&[Program::Java, Program::Postgres]);
        assert!(message.contains("lacks Java 17 or newer, PostgreSQL's server"), "{message}");
        assert!(
            message.contains("apt-get install -y --no-install-recommends default-jre-headless postgresql\n"),
            "{message}"
        );
    }
}
