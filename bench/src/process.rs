//! A measured process: the real replicator, its CPU time and its memory, as the kernel counts them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// What Linux counts CPU time in, for programs, whatever its own clock.
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// The replicator, which is killed when this is dropped or the benchmark dies.
pub(crate) struct Replicator {
    child: Child,
    log: PathBuf,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all threads, in seconds.
    pub(crate) cpu_s: f64,
    /// The most physical memory it had at any time, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Replicator {
    /// Runs `replicator run` on the document in `folder`; its output goes to a file beside it.
    pub(crate) fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("replicator.log");
        let output = File::create(&log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.args(["run", "--file"]).arg(folder.join("resource.yaml")).arg("--secrets").arg(folder.join("secrets"));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child, log })
    }

    /// An error when it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the replicator ended with {status}; {}", self.log_end()),
        }
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage(self.child.id())
    }

    /// Stops it as Kubernetes does, and makes sure that it ends well.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            kill_process(pid, Signal::TERM)?;
        }
        let status = self.wait(Duration::from_secs(20))?;
        anyhow::ensure!(status.success(), "after SIGTERM the replicator ended with {status}; {}", self.log_end());
        Ok(())
    }

    fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "the replicator does not stop within {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The last lines that it printed.
    pub(crate) fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("its last words:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn usage(pid: u32) -> anyhow::Result<Usage> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let ticks = ticks(&read("stat")?).context("/proc/PID/stat is not what it should be")?;
    let peak_kib = peak_kib(&read("status")?).context("/proc/PID/status has no VmHWM")?;
    Ok(Usage { cpu_s: ticks as f64 / TICKS_PER_SECOND, peak_bytes: peak_kib * 1024 })
}

/// Fields 14 and 15: the time in user and in kernel mode. The second field, the name, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_counts_are_found() {
        assert_eq!(ticks("7 (a) b) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 1 1"), Some(300));
        assert_eq!(peak_kib("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n"), Some(2048));
    }

    #[test]
    fn this_process_has_used_something() {
        let used = usage(std::process::id()).unwrap();
        assert!(used.peak_bytes > 1 << 20);
    }
}
