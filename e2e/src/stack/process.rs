//! One process of a stack: started so that it cannot outlive its owner, watched, stopped, never confused with another.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::Lifetime;

/// A process and when it started: a process that got the same number later is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process's number.
    pub pid: i32,
    /// Start in clock ticks since the machine's boot.
    pub start_time: u64,
}

impl ProcessId {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let pid = i32::try_from(pid)?;
        let start_time = start_time(pid).with_context(|| format!("process {pid} ended as it started"))?;
        Ok(Self { pid, start_time })
    }

    /// Whether it runs. A process that ended and waits for its parent to notice does not.
    pub fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.start_time)
    }

    /// Sends a signal if the process is still this one.
    pub(crate) fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may end at this moment: then there is nothing to signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends `signal`, waits for the end, and kills it after `patience`.
    pub(crate) fn stop(self, signal: Signal, patience: Duration) {
        self.signal(signal);
        // A process that was paused receives nothing but SIGKILL until it goes on.
        self.signal(Signal::CONT);
        let deadline = Instant::now() + patience;
        while self.is_alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.signal(Signal::KILL);
        while self.is_alive() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Field 22 of `/proc/PID/stat`; `None` when there is no such process, or only what is left of it.
fn start_time(pid: i32) -> Option<u64> {
    parse_start_time(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_start_time(stat: &str) -> Option<u64> {
    // The second field is the program's name in brackets, which may hold blanks and brackets itself.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

/// What to run, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) directory: PathBuf,
    /// Another user to run as; only root can.
    pub(crate) user: Option<&'static str>,
    /// Where its output goes, appended.
    pub(crate) log: PathBuf,
    /// The signal that ends it at once: KILL, or TERM or QUIT for those who have to clean up.
    pub(crate) kill_signal: Signal,
}

impl Program {
    /// The command that becomes the program: its process number stays the same all the way.
    fn command(&self, lifetime: Lifetime) -> anyhow::Result<Command> {
        let mut command = self.wrapper(lifetime);
        command.arg(&self.path).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(&self.directory);
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write to {}", self.log.display()))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn wrapper(&self, lifetime: Lifetime) -> Command {
        let mut words: Vec<String> = Vec::new();
        // A session of its own: neither Ctrl-C nor the end of the terminal reaches the part.
        words.push("setsid".into());
        if self.kill_signal != Signal::KILL {
            // A shell's background jobs ignore QUIT, and all that they start does too, until it asks for the signal itself.
            words.extend(["env".into(), "--default-signal".into()]);
        }
        if lifetime == Lifetime::WithParent || self.user.is_some() {
            words.push("setpriv".into());
        }
        if let Some(user) = self.user {
            words.extend([format!("--reuid={user}"), format!("--regid={user}"), "--init-groups".into()]);
        }
        if lifetime == Lifetime::WithParent {
            let signal = match self.kill_signal {
                Signal::QUIT => "QUIT",
                Signal::TERM => "TERM",
                _ => "KILL",
            };
            words.push(format!("--pdeathsig={signal}"));
            // The signal is only sent to those who asked before the parent died: look once more after asking.
            let still_there = "parent=$1; shift; [ $PPID = $parent ] && exec \"$@\"";
            words.extend(["--", "sh", "-c", still_there, "sh", &std::process::id().to_string()].map(str::to_owned));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

/// A process of this program's own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    id: ProcessId,
    kill_signal: Signal,
}

impl Process {
    pub(crate) fn start(program: &Program, lifetime: Lifetime) -> anyhow::Result<Self> {
        let child = spawn(program.command(lifetime)?);
        let mut child = child.with_context(|| format!("cannot run {}", program.path.display()))?;
        match ProcessId::of(child.id()) {
            Ok(id) => Ok(Self { child, id, kill_signal: program.kill_signal }),
            Err(error) => {
                let _ = child.wait();
                Err(error.context(log_end(&program.log)))
            }
        }
    }

    pub(crate) fn id(&self) -> ProcessId {
        self.id
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it at once and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.id.signal(self.kill_signal);
        self.id.signal(Signal::CONT);
        if self.kill_signal != Signal::KILL {
            self.wait_at_most(Duration::from_secs(5));
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }

    fn wait_at_most(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

type Order = (Command, SyncSender<std::io::Result<Child>>);

/// The kernel sends the parent-death signal when the *thread* that started a process ends, and the threads of a test or
/// of a runtime come and go: one thread that lives as long as the program starts them all.
static KEEPER: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in inbox {
            let _ = reply.send(command.spawn());
        }
    });
    orders
});

fn spawn(command: Command) -> anyhow::Result<Child> {
    let (reply, answer) = sync_channel(1);
    KEEPER.send((command, reply)).ok().context("the thread that starts processes is gone")?;
    Ok(answer.recv().context("the thread that starts processes is gone")??)
}

/// The last lines of a log, for an error message.
pub(crate) fn log_end(path: &Path) -> String {
    match tail(path) {
        Ok(text) if text.is_empty() => format!("its log {} is empty", path.display()),
        Ok(text) => format!("the end of its log {}:\n{}", path.display(), last_lines(&text, 30)),
        Err(error) => format!("its log {} cannot be read: {error}", path.display()),
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_program_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_start_time(&format!("42 (a) b (c)) {rest}")), Some(4711));
        assert_eq!(parse_start_time(&format!("42 (java) {}", rest.replacen('S', "Z", 1))), None);
        assert_eq!(parse_start_time(""), None);
    }

    #[test]
    fn another_process_with_the_same_number_is_not_signalled() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        let earlier = ProcessId { start_time: id.start_time - 1, ..id };
        assert!(id.is_alive() && !earlier.is_alive());
        earlier.signal(Signal::KILL);
        assert!(child.try_wait().unwrap().is_none());
        id.signal(Signal::KILL);
        child.wait().unwrap();
        assert!(!id.is_alive());
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
