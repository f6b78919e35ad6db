//! `PostgreSQL`: a cluster of its own, with logical decoding, quick rather than safe.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use rustix::process::Signal;

use super::directory::{Directory, give_to_postgres, postgres_user};
use super::fetch::{Software, run};
use super::process::Program;
use super::{Addresses, Part};

/// The cluster's superuser, whom everything in a stack uses.
pub const POSTGRES_USER: &str = "postgres";
/// The superuser's password.
pub const POSTGRES_PASSWORD: &str = "postgres";

/// Settings beside address and port. Data need not survive a crash of the machine.
const SETTINGS: [&str; 9] = [
    "wal_level=logical",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_replication_slots=20",
    "max_wal_senders=20",
    "max_wal_size=2GB",
    "unix_socket_directories=",
    // Otherwise a killed server leaves its segments in /dev/shm.
    "dynamic_shared_memory_type=mmap",
];

pub(super) fn program(software: &Software, directory: &Directory, addresses: &Addresses, more: &[String]) -> Program {
    let folder = directory.part(Part::Postgres);
    let mut arguments: Vec<OsString> = vec!["-D".into(), folder.join("data").into()];
    let place = [format!("listen_addresses={}", addresses.bind), format!("port={}", addresses.postgres)];
    for setting in SETTINGS.iter().map(ToString::to_string).chain(place).chain(more.iter().cloned()) {
        arguments.extend(["-c".into(), setting.into()]);
    }
    Program {
        path: software.postgres_bin.join("postgres"),
        arguments,
        environment: vec![],
        directory: folder,
        user: postgres_user(),
        log: directory.log(Part::Postgres),
        // An "immediate shutdown": as abrupt as a crash for the clients, but its shared memory is given back.
        kill_signal: Signal::QUIT,
    }
}

/// Copies downloaded programs into the stack's folder: the user that runs them cannot reach the cache. Blocks.
pub(super) fn bring_along(software: &mut Software, directory: &Directory) -> anyhow::Result<()> {
    let (from, to) = (software.postgres_bin.join(".."), directory.path().join("postgres-programs"));
    std::fs::create_dir_all(&to)?;
    for folder in ["bin", "lib", "share"] {
        run(Command::new("cp").arg("-a").arg(from.join(folder)).arg(&to), "it copies PostgreSQL's programs")?;
    }
    give_to_postgres(&to)?;
    software.postgres_bin = to.join("bin");
    Ok(())
}

/// Creates the cluster, unless this is a restart. Blocks.
pub(super) fn prepare(software: &Software, directory: &Directory) -> anyhow::Result<()> {
    let folder = directory.part(Part::Postgres);
    if folder.join("data").join("PG_VERSION").exists() {
        return Ok(());
    }
    std::fs::write(folder.join("password"), POSTGRES_PASSWORD)?;
    give_to_postgres(&folder)?;
    run(&mut initdb(software, &folder), "it creates the cluster")?;
    let rules = "host all all all scram-sha-256\nhost replication all all scram-sha-256\n";
    std::fs::write(folder.join("data").join("pg_hba.conf"), rules).context("cannot write pg_hba.conf")
}

fn initdb(software: &Software, folder: &Path) -> Command {
    let initdb = software.postgres_bin.join("initdb");
    let mut command = match postgres_user() {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--init-groups"]).arg(initdb);
            command
        }
        None => Command::new(initdb),
    };
    command.args(["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256", "-U", POSTGRES_USER]);
    command.arg("--pwfile").arg(folder.join("password")).arg("-D").arg(folder.join("data")).current_dir(folder);
    command
}
