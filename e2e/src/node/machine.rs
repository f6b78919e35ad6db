//! The node's machine: namespaces for processes, mounts and network that all of the node lives in. When its first process
//! dies, the kernel ends every other and takes mounts, interfaces and packet rules away.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use super::bundle::Bundle;
use super::directory::Directory;
use crate::stack::{Lifetime, Process, Program, log_end};

const KEEPER: &str = include_str!("scripts/keeper.sh");
const BOOT: &str = include_str!("scripts/boot.sh");

/// A machine that has booted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// The process on the host whose children live in the machine.
    pid: i32,
}

/// Starts the keeper, which starts the machine.
pub(super) fn start(bundle: &Bundle, directory: &Directory, lifetime: Lifetime) -> anyhow::Result<Process> {
    Process::start(&keeper(bundle, directory), lifetime).context("cannot start the node's keeper")
}

/// Waits until the machine has booted.
pub(super) async fn booted(keeper: &mut Process, directory: &Directory) -> anyhow::Result<Machine> {
    let log = directory.log("keeper");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !directory.booted().exists() {
        if let Some(status) = keeper.ended() {
            anyhow::bail!("the node's machine ended with {status} as it booted; {}", log_end(&log));
        }
        anyhow::ensure!(Instant::now() < deadline, "the node's machine did not boot within 30 s; {}", log_end(&log));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Machine::read(directory)?.context("the machine has booted, and its process is not known")
}

fn keeper(bundle: &Bundle, directory: &Directory) -> Program {
    let lifetime = if directory.is_temporary() { "temporary" } else { "kept" };
    let mut arguments: Vec<OsString> = ["-c", KEEPER, "keeper", BOOT].map(OsString::from).into();
    arguments.push(directory.id().into());
    arguments.extend([directory.path().into(), bundle.programs().into(), lifetime.into()]);
    Program {
        path: "/bin/sh".into(),
        arguments,
        environment: vec![],
        directory: "/".into(),
        user: None,
        log: directory.log("keeper"),
        // It takes the signal as the order to end the machine and to clean up.
        kill_signal: Signal::TERM,
    }
}

impl Machine {
    /// The machine whose process the keeper wrote down in this folder, if it has.
    pub(super) fn read(directory: &Directory) -> anyhow::Result<Option<Self>> {
        let path = directory.machine_pid();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { pid: text.trim().parse().context("the keeper wrote no process number")? })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(super) fn pid(self) -> i32 {
        self.pid
    }

    /// The words that go before a command so that it runs inside.
    fn enter(self) -> [OsString; 3] {
        // The process itself stays outside of the process namespace that it made: its children are inside.
        [("pid", "pid_for_children"), ("mount", "mnt"), ("net", "net")]
            .map(|(option, file)| format!("--{option}=/proc/{}/ns/{file}", self.pid).into())
    }

    /// A program of the node to run inside.
    pub(super) fn program(self, path: &str, arguments: Vec<String>, log: PathBuf) -> Program {
        let mut all: Vec<OsString> = self.enter().into();
        all.push(path.into());
        all.extend(arguments.into_iter().map(OsString::from));
        Program {
            path: "nsenter".into(),
            arguments: all,
            environment: vec![],
            directory: "/".into(),
            user: None,
            log,
            kill_signal: Signal::KILL,
        }
    }

    /// A command to run inside.
    pub(super) fn command(self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).arg(program);
        command
    }
}
